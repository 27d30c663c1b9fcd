package bigquerytest

import (
	"os/exec"
	"syscall"
)

// endWithParent lets the kernel end the engine when the tests are killed.
func endWithParent(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
