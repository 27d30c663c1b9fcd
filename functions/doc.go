// Package functions is the contract of RetentionOps: for each of the six tools its name and words, its input and
// output types, their JSON Schemas, hints, scopes and limits, and the words that cross the wall between a caller and
// the house: dates, money, severities, tiers, outcomes, error codes, events.
//
// It is not an implementation: it links nothing but the standard library, a decimal type and a schema generator, so
// that a gateway can know every tool without linking one. Section numbers with § are those of the source document.
package functions
