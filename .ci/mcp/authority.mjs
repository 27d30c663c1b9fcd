// A certified OpenID Connect server as an authorization server for one resource: who comes is ada and agrees to everything.
// It says where it is and serves until its input ends.
//
//   node authority.mjs RESOURCE
import { generateKeyPairSync } from 'node:crypto';
import http from 'node:http';
import Provider, { errors } from 'oidc-provider';

const [resource] = process.argv.slice(2);
const server = http.createServer();
await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
const issuer = `http://127.0.0.1:${server.address().port}`;

const key = (kid, alg, kind, options) => ({
  ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig',
});
const redirect = 'http://127.0.0.1/callback';
const provider = new Provider(issuer, {
  clients: [{
    client_id: 'chat', redirect_uris: [redirect], token_endpoint_auth_method: 'none', application_type: 'native',
    grant_types: ['authorization_code'], response_types: ['code'],
  }],
  jwks: { keys: [key('signs', 'RS256', 'rsa', { modulusLength: 2048 }), key('curve', 'ES256', 'ec', { namedCurve: 'P-256' })] },
  cookies: { keys: ['only for this test'] },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (ctx, interaction) => `/agree/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo(ctx, indicator) {
        if (indicator !== resource) throw new errors.InvalidTarget();
        return { scope: 'retention:read retention:act', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 600, jwt: { sign: { alg: 'ES256' } } };
      },
    },
  },
});

// agree does what a person would: sign in, and let the client have what it asks for.
async function agree(request, response) {
  const { prompt, params, grantId } = await provider.interactionDetails(request, response);
  if (prompt.name === 'login') {
    return provider.interactionFinished(request, response, { login: { accountId: 'ada' } });
  }
  const grant = grantId ? await provider.Grant.find(grantId) : new provider.Grant({ accountId: 'ada', clientId: params.client_id });
  for (const [indicator, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
    grant.addResourceScope(indicator, scopes.join(' '));
  }
  if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
  return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

const serve = provider.callback();
server.on('request', (request, response) => (request.url.startsWith('/agree/') ? agree(request, response) : serve(request, response)));
console.log(issuer);
process.stdin.resume().on('end', () => process.exit());
