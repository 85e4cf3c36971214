//go:build unix

package gitrepo

import (
	"os/exec"
	"syscall"
)

// endTogether makes a command's end that of all processes it started: git
// leaves the program that talks to the remote waiting. Asked to end, and not
// killed, they take their locks back.
func endTogether(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}
