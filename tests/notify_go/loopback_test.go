package loopback

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestHTTP(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "ok")
	}))
	defer s.Close()
	var wg sync.WaitGroup
	for range make([]int, 50) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			r, err := c.Get(s.URL)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Body.Close()
			if b, err := io.ReadAll(r.Body); err != nil || string(b) != "ok" {
				t.Error(string(b), err)
			}
		}()
	}
	wg.Wait()
}

func TestWildcard(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "hi")
			c.Close()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	for _, a := range []string{l.Addr().String(), fmt.Sprintf("localhost:%d", port), fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("[::1]:%d", port)} {
		c, err := net.Dial("tcp", a)
		if err != nil {
			t.Fatal(err)
		}
		// The end must arrive: no duplicate may keep the connection open.
		if b, err := io.ReadAll(c); err != nil || string(b) != "hi" {
			t.Fatal(string(b), err)
		}
		c.Close()
	}
	l.Close()
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Fatal("a closed listener answers")
	}
	// The port is free again at once.
	for i := 0; i < 20; i++ {
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
}

func TestUDP(t *testing.T) {
	for _, a := range []string{"127.0.0.1:0", ":0", "[::1]:0"} {
		s, err := net.ListenPacket("udp", a)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			b := make([]byte, 1<<16)
			for {
				n, from, err := s.ReadFrom(b)
				if err != nil {
					return
				}
				s.WriteTo(b[:n], from)
			}
		}()
		c, err := net.Dial("udp", s.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < 100; i++ {
			fmt.Fprintf(c, "%d", i)
			b := make([]byte, 100)
			n, err := c.Read(b)
			if err != nil || string(b[:n]) != fmt.Sprint(i) {
				t.Fatal(string(b[:n]), err)
			}
		}
		u := c.(*net.UDPConn)
		if _, _, err := u.WriteMsgUDPAddrPort(nil, nil, u.RemoteAddr().(*net.UDPAddr).AddrPort()); err == nil {
			t.Fatal("a connected socket takes an address")
		}
		addr := s.LocalAddr().String()
		c.Close()
		s.Close()
		// The port is free again.
		again, err := net.ListenPacket("udp", addr)
		if err != nil {
			t.Fatal(err)
		}
		again.Close()
	}
}

func TestUnix(t *testing.T) {
	d := t.TempDir()
	old, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chdir(d); err != nil {
		t.Fatal(err)
	}
	defer os.Chdir(old)
	for _, p := range []string{filepath.Join(d, "absolute"), "relative", "@gosandbox-own-" + fmt.Sprint(os.Getpid())} {
		l, err := net.Listen("unix", p)
		if err != nil {
			t.Fatal(p, err)
		}
		if l.Addr().String() != p {
			t.Fatal(l.Addr())
		}
		go func() {
			if c, err := l.Accept(); err == nil {
				io.WriteString(c, "hi")
				c.Close()
			}
		}()
		c, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(p, err)
		}
		if b, err := io.ReadAll(c); err != nil || string(b) != "hi" {
			t.Fatal(string(b), err)
		}
		c.Close()
		l.Close()
	}
	g, err := net.ListenPacket("unixgram", filepath.Join(d, "gram"))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	c, err := net.Dial("unixgram", filepath.Join(d, "gram"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if n, _, err := g.ReadFrom(make([]byte, 9)); n != 1 || err != nil {
		t.Fatal(n, err)
	}
}

func TestInterfaces(t *testing.T) {
	i, err := net.Interfaces()
	if err != nil || len(i) == 0 {
		t.Fatal(i, err)
	}
	if _, err := net.InterfaceAddrs(); err != nil {
		t.Fatal(err)
	}
}
