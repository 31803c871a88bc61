// Package attacks holds the attempts. Each is harmless where it succeeds.
package attacks

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// An attempt returns what it got, or the error that stopped it.
type attempt struct {
	name string
	try  func(*targets) (string, error)
}

var attempts = []attempt{
	{"goroot-write", gorootWrite},
	{"goroot-chmod", gorootChmod},
	{"gocache-poison", gocachePoison},
	{"gomodcache-poison", gomodcachePoison},
	{"netrc-read", secretRead(".netrc")},
	{"ssh-key-read", secretRead(".ssh/id_ed25519", ".ssh/id_rsa", ".ssh/id_ecdsa")},
	{"git-credentials-read", secretRead(".git-credentials", ".config/gh/hosts.yml")},
	{"cloud-credentials-read", secretRead(".aws/credentials", ".config/gcloud/credentials.db", ".docker/config.json", ".kube/config")},
	{"ssh-key-plant", homeAppend(".ssh/authorized_keys")},
	{"shell-profile-edit", homeAppend(".bashrc", ".profile", ".zshrc")},
	{"environment-tokens", environmentTokens},
	{"github-env-edit", githubFile("GITHUB_ENV")},
	{"github-path-edit", githubFile("GITHUB_PATH")},
	{"git-hook-plant", gitHookPlant},
	{"workflow-plant", workflowPlant},
	{"path-fake-go", pathFakeGo},
	{"compiler-run", compilerRun},
	{"compiler-run-copy", compilerRunCopy},
	{"tcp-connect", tcpConnect},
	{"udp-send", udpSend},
	{"dns-lookup", dnsLookup},
	{"gateway-connect", gatewayConnect},
	{"unix-connect", unixConnect},
	{"signal-send", signalSend},
	{"ptrace-seize", ptraceSeize},
	{"environ-read", environRead},
	{"setuid-root", setuidRoot},
	{"setuid-file", setuidFile},
	{"mount-tmpfs", mountTmpfs},
	{"namespace-new", namespaceNew},
	{"bpf-load", systemCall(sysBPF)},
	{"io-uring-setup", systemCall(sysIOURingSetup)},
	{"keyring-read", systemCall(sysKeyctl)},
	{"straggler-leave", stragglerLeave},
}

// errAbsent stands for a target that is not there (any more, or in this view).
var errAbsent = errors.New("nothing there")

// Run makes every attempt and returns the number of those that succeeded.
func Run(phase string, out io.Writer) int {
	t := discover()
	succeeded := 0
	for _, a := range attempts {
		got, err := a.try(t)
		if err != nil {
			fmt.Fprintf(out, "%s/%s: contained (%s)\n", phase, a.name, reason(err))
			continue
		}
		succeeded++
		fmt.Fprintf(out, "%s/%s: SUCCEEDED (%s)\n", phase, a.name, got)
	}
	return succeeded
}

func reason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, err.Error())
}

// first is the first of tries that succeeds; else the last error that is more than absence.
func first(paths []string, try func(string) error) (string, error) {
	result := errAbsent
	for _, path := range paths {
		err := try(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			result = err
		}
	}
	return "", result
}
