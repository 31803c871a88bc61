package attacks

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

func compilerRun(t *targets) (string, error) {
	at, err := first(t.Compilers, func(path string) error {
		return exec.Command(path, "--version").Run()
	})
	return "ran " + at, err
}

// compilerRunCopy runs a compiler under another name, from a folder it may execute from.
func compilerRunCopy(t *targets) (string, error) {
	dir, err := os.MkdirTemp("", "gosandbox-hostile-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	at, err := first(t.Compilers, func(path string) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		copied := filepath.Join(dir, "helper")
		if err := os.WriteFile(copied, data, 0o755); err != nil {
			return err
		}
		return exec.Command(copied, "--version").Run()
	})
	return "ran a copy of " + at, err
}

// stranger is a process that is neither this one nor one of its ancestors.
func stranger(t *targets) (int, error) {
	if t.Pid != 0 {
		return t.Pid, nil
	}
	own := map[int]bool{}
	for pid := os.Getpid(); pid > 0 && !own[pid]; pid = parent(pid) {
		own[pid] = true
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		// Process 1 of a sandbox is its own.
		if pid, err := strconv.Atoi(entry.Name()); err == nil && pid > 1 && !own[pid] && !own[parent(pid)] && parent(pid) != 0 {
			return pid, nil
		}
	}
	return 0, errAbsent
}

func parent(pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data[strings.LastIndexByte(string(data), ')'):]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(fields[1])
	return ppid
}

func signalSend(t *targets) (string, error) {
	pid, err := stranger(t)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("may signal process %d", pid), syscall.Kill(pid, 0)
}

func ptraceSeize(t *targets) (string, error) {
	pid, err := stranger(t)
	if err != nil {
		return "", err
	}
	// The tracer is a thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const seize = 0x4206
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, seize, uintptr(pid), 0, 0, 0, 0); errno != 0 {
		return "", errno
	}
	// Detaching wants a stopped process; the end of this thread detaches too.
	syscall.RawSyscall6(syscall.SYS_PTRACE, syscall.PTRACE_DETACH, uintptr(pid), 0, 0, 0, 0)
	return fmt.Sprintf("traces process %d", pid), nil
}

func environRead(t *targets) (string, error) {
	pid, err := stranger(t)
	if err != nil {
		return "", err
	}
	path := fmt.Sprintf("/proc/%d/environ", pid)
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := f.Read(make([]byte, 1)); err != nil {
		return "", err
	}
	return "read " + path, nil
}

func setuidRoot(*targets) (string, error) {
	if os.Geteuid() == 0 {
		// Root of a user namespace of its own is nobody outside.
		if data, err := os.ReadFile("/proc/self/uid_map"); err == nil && len(strings.Fields(string(data))) == 3 && strings.Fields(string(data))[2] == "4294967295" {
			return "is root", nil
		}
	}
	// In a thread that ends with it, should it work.
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETUID, 0, 0, 0); errno != 0 {
			done <- errno
			return
		}
		done <- nil
	}()
	return "became root", <-done
}

// setuidFile makes a set-uid file of its own.
func setuidFile(*targets) (string, error) {
	f, err := os.CreateTemp("", "gosandbox-hostile-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	return "made a set-uid file", f.Chmod(0o700 | os.ModeSetuid)
}

func mountTmpfs(*targets) (string, error) {
	dir, err := os.MkdirTemp("", "gosandbox-hostile-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(dir)
	if err := syscall.Mount("none", dir, "tmpfs", 0, ""); err != nil {
		return "", err
	}
	return "mounted a tmpfs", syscall.Unmount(dir, 0)
}

func namespaceNew(*targets) (string, error) {
	command := exec.Command("/bin/true")
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET}
	return "made a user and a network namespace", command.Run()
}

// systemCall makes a call with arguments that mean nothing: where the call is let through, the
// kernel complains about those.
func systemCall(number func() uintptr) func(*targets) (string, error) {
	return func(*targets) (string, error) {
		n := number()
		if n == 0 {
			return "", errors.New("number not known for " + runtime.GOARCH)
		}
		_, _, errno := syscall.RawSyscall6(n, 0xffff, 0, 0, 0, 0, 0)
		if errno == syscall.EPERM || errno == syscall.ENOSYS || errno == syscall.EACCES {
			return "", errno
		}
		return "the kernel looks at its arguments", nil
	}
}

func sysBPF() uintptr {
	return map[string]uintptr{"amd64": 321, "arm64": 280}[runtime.GOARCH]
}

func sysIOURingSetup() uintptr {
	return map[string]uintptr{"amd64": 425, "arm64": 425}[runtime.GOARCH]
}

func sysKeyctl() uintptr {
	return map[string]uintptr{"amd64": 250, "arm64": 219}[runtime.GOARCH]
}

// stragglerLeave leaves a child in a session of its own. Whether it lives on cannot be seen from
// here: with a target, a file tells.
func stragglerLeave(t *targets) (string, error) {
	if t.Straggler == "" {
		return "", errors.New("no file given to leave")
	}
	command := exec.Command("/bin/sh", "-c", `sleep 1; : > "$1"`, "sh", t.Straggler)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return "", err
	}
	return "", errors.New("left behind: it is contained if there is no " + t.Straggler + " in two seconds")
}
