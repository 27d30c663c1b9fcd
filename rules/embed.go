// Package rules carries the rule files as shipped: what a business user edits, and nothing else. See README.md here.
//
// It is not the engine: package rulebook loads, checks and judges.
package rules

import "embed"

// FS holds the rule files, their examples included.
//
//go:embed *.yaml
var FS embed.FS
