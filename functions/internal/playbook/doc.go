// Package playbook runs the playbook of a day from decision to receipt: decide, begin, queue, guardrails, export,
// brief, send, end. It owns what makes a run safe to repeat: the claim on a day, the stored message, the signed webhook,
// the reading of its receipt, the replay; and the mail that tells people of a run that did not deliver.
//
// It is not the trade: how customers are judged, a queue is built, a brief is worded or an audience is written is
// decided in the rooms below. And it is not the receiver: what is posted and which ticket is opened is the playbook's
// own work behind the webhook.
package playbook
