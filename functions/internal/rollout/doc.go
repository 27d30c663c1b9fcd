// Package rollout gathers the evidence of §16: what the present phase must have shown before the next one, with the
// runs, days and notes that say so, and the reasons to go back. It keeps the notes that people write down because no log
// can know them.
//
// It switches nothing: the phase is one word in rules/rollout.yaml, and a person writes it.
package rollout
