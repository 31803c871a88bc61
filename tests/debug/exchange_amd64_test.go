package m

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
)

// Puts other calls into the place of those of a child.
func TestExchanges(t *testing.T) {
	runtime.LockOSThread()
	child := start(t, "/proc/self/exe", "child")
	pid := child.Process.Pid
	wait(t, pid)
	const suspend = 1 << 21 // PTRACE_O_SUSPEND_SECCOMP
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, 0x4200, uintptr(pid), 0, suspend, 0, 0)
	fmt.Println("seccomp:", int(errno))
	if err := syscall.PtraceSetOptions(pid, syscall.PTRACE_O_TRACESYSGOOD|0x100000); err != nil {
		t.Fatal(err)
	}
	exchanged := false
	for {
		if err := syscall.PtraceSyscall(pid, 0); err != nil {
			t.Fatal(err)
		}
		status := wait(t, pid)
		if status.Exited() || status.Signaled() {
			t.Fatal("the child has ended:", status)
		}
		if status.StopSignal() != syscall.SIGTRAP|0x80 {
			continue
		}
		var registers syscall.PtraceRegs
		if err := syscall.PtraceGetRegs(pid, &registers); err != nil {
			t.Fatal(err)
		}
		if exchanged {
			fmt.Println("kcmp:", -int64(registers.Rax))
			child.Process.Kill()
			return
		}
		if registers.Orig_rax == syscall.SYS_GETPPID {
			const kcmp, files = 312, 2
			registers.Orig_rax = kcmp
			registers.Rdi, registers.Rsi, registers.Rdx = uint64(pid), uint64(pid), files
			if err := syscall.PtraceSetRegs(pid, &registers); err != nil {
				t.Fatal(err)
			}
			exchanged = true
		}
	}
}
