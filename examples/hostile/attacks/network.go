package attacks

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// Silence counts as success, so that a machine that stands still for a moment must not look silent.
const patience = 10 * time.Second

func tcpConnect(t *targets) (string, error) {
	got, err := dial("tcp", t.TCP)
	return answered(t.TCP, got, err)
}

// dial counts silence as success: the packets went out.
func dial(network, address string) (string, error) {
	conn, err := net.DialTimeout(network, address, patience)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "sent to " + address + ", no answer", nil
	}
	if err != nil {
		return "", err
	}
	return "connected to " + address, conn.Close()
}

// answered counts a refusal as success where somebody out there refused; on loopback it is only
// that nobody listens.
func answered(address, got string, err error) (string, error) {
	host, _, _ := net.SplitHostPort(address)
	if ip := net.ParseIP(host); errors.Is(err, syscall.ECONNREFUSED) && ip != nil && !ip.IsLoopback() {
		return "was answered by " + address, nil
	}
	return got, err
}

func udpSend(t *targets) (string, error) {
	conn, err := net.Dial("udp", t.UDP)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	// Where nobody listens, the second write says so.
	for i := 0; i < 2 && err == nil; i++ {
		_, err = conn.Write([]byte("gosandbox-hostile"))
		time.Sleep(10 * time.Millisecond)
	}
	return answered(t.UDP, "sent to "+t.UDP, err)
}

func dnsLookup(t *targets) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := net.DefaultResolver.LookupHost(ctx, t.Name)
	var answer *net.DNSError
	// A server that says "no such name" has been asked. The one in gosandbox's view is init, which asks nobody.
	conf, _ := os.ReadFile("/etc/resolv.conf")
	init := strings.HasPrefix(string(conf), "# no name is resolved in here but those of /etc/hosts\nnameserver 127.0.0.53\n")
	if errors.As(err, &answer) && answer.IsNotFound && answer.Server != "" && !init {
		return "asked " + answer.Server, nil
	}
	return "resolved " + t.Name, err
}

// gatewayConnect goes for the module gateway, which is for the go command alone.
func gatewayConnect(*targets) (string, error) {
	proxy, err := url.Parse(os.Getenv("GOPROXY"))
	if err != nil || proxy.Host == "" || proxy.Port() == "" {
		return "", errAbsent
	}
	return dial("tcp", proxy.Host)
}

func unixConnect(t *targets) (string, error) {
	at, err := first(t.Unix, func(path string) error {
		if path == "" {
			return errAbsent
		}
		for _, network := range []string{"unix", "unixgram"} {
			conn, err := net.Dial(network, path)
			if err == nil {
				return conn.Close()
			}
			if network == "unixgram" {
				return err
			}
		}
		return nil
	})
	return "connected to " + at, err
}
