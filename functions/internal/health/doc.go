// Package health computes the figures of §15 from the audit log, over a window and day by day, judges alarms by them,
// and remembers in the archive which alarms stand, so that people are told once when one begins and once when it ends.
//
// It is not a monitoring system: it sees only what the log holds, at the moment it is asked, and nobody is told by it
// while nobody asks. What the conditions are stands in rules/monitoring.yaml.
package health
