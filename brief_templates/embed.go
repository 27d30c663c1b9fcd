// Package brieftemplates carries the brief templates as shipped: what a business user edits. See README.md here.
//
// It is not the renderer: package brief loads, checks and renders.
package brieftemplates

import "embed"

// FS holds the templates.
//
//go:embed *.tmpl
var FS embed.FS
