//go:build !linux

package bigquerytest

import "os/exec"

// endWithParent does nothing: the engine runs on Linux only.
func endWithParent(*exec.Cmd) {}
