package m

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
)

// The process that is traced: it makes the same call until a call that was put in its place has had an effect.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		runtime.LockOSThread()
		for i := 0; i < 1000; i++ {
			syscall.RawSyscall(syscall.SYS_GETPPID, 0, 0, 0)
		}
		os.Exit(7)
	}
	os.Exit(m.Run())
}

func start(t *testing.T, name string, words ...string) *exec.Cmd {
	t.Helper()
	command := exec.Command(name, words...)
	command.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return command
}

func wait(t *testing.T, pid int) syscall.WaitStatus {
	t.Helper()
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, syscall.WALL, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
}

func TestTraces(t *testing.T) {
	runtime.LockOSThread()
	child := start(t, "/bin/true")
	pid := child.Process.Pid
	if status := wait(t, pid); !status.Stopped() || status.StopSignal() != syscall.SIGTRAP {
		t.Fatal(status)
	}
	if err := syscall.PtraceSetOptions(pid, syscall.PTRACE_O_TRACEEXEC|syscall.PTRACE_O_TRACECLONE|0x100000); err != nil {
		t.Fatal("options:", err)
	}
	var registers syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(pid, &registers); err != nil {
		t.Fatal("registers:", err)
	}
	var word [8]byte
	if _, err := syscall.PtracePeekText(pid, uintptr(registers.PC()), word[:]); err != nil {
		t.Fatal("peek:", err)
	}
	if _, err := syscall.PtracePokeText(pid, uintptr(registers.PC()), word[:]); err != nil {
		t.Fatal("poke:", err)
	}
	if err := syscall.PtraceSingleStep(pid); err != nil {
		t.Fatal("step:", err)
	}
	if status := wait(t, pid); !status.Stopped() {
		t.Fatal(status)
	}
	if err := syscall.PtraceCont(pid, 0); err != nil {
		t.Fatal("continue:", err)
	}
	if status := wait(t, pid); !status.Exited() || status.ExitStatus() != 0 {
		t.Fatal(status)
	}
}

func attach(request, pid uintptr) syscall.Errno {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, request, pid, 0, 0, 0, 0)
	return errno
}

const ptraceSeize = 0x4206

// The go command, and init or whoever is the first process.
func TestOthers(t *testing.T) {
	runtime.LockOSThread()
	for name, pid := range map[string]int{"the go command": os.Getppid(), "init": 1} {
		for _, request := range []uintptr{syscall.PTRACE_ATTACH, ptraceSeize} {
			if errno := attach(request, uintptr(pid)); errno == 0 {
				t.Errorf("traces %s by %#x", name, request)
			}
		}
		if _, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); err == nil {
			t.Errorf("reads the environment of %s", name)
		}
	}
}

// A process of the same user outside, whose number is in a file.
func TestVictim(t *testing.T) {
	runtime.LockOSThread()
	text, err := os.ReadFile("victim")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if errno := attach(ptraceSeize, uintptr(pid)); errno == 0 {
		t.Errorf("traces the victim")
	}
}
