// Serves a folder as a module proxy does: Go's own server, over TLS, with HTTP/2 for who speaks it.
//
//	upstream FOLDER CA [plain]
//
// The certificate of the authority that it makes goes to the file CA, its address to standard output.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: upstream FOLDER CA [plain]")
	}
	server := &http.Server{Handler: http.FileServer(http.Dir(os.Args[1]))}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	if len(os.Args) > 3 {
		fmt.Printf("http://%s\n", listener.Addr())
		log.Fatal(server.Serve(listener))
	}
	authority, certificate := certificates()
	check(os.WriteFile(os.Args[2], authority, 0o644))
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	fmt.Printf("https://%s\n", listener.Addr())
	log.Fatal(server.ServeTLS(listener, "", ""))
}

// certificates makes an authority and what it says of the loopback's address.
func certificates() ([]byte, tls.Certificate) {
	template := func(number int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber:          big.NewInt(number),
			Subject:               pkix.Name{CommonName: name},
			NotBefore:             time.Now().Add(-time.Hour),
			NotAfter:              time.Now().Add(24 * time.Hour),
			BasicConstraintsValid: true,
		}
	}
	authority := template(1, "benchmark authority")
	authority.IsCA = true
	authority.KeyUsage = x509.KeyUsageCertSign
	leaf := template(2, "benchmark")
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	root, err := x509.CreateCertificate(rand.Reader, authority, authority, &own.PublicKey, own)
	check(err)
	signed, err := x509.CreateCertificate(rand.Reader, leaf, authority, &key.PublicKey, own)
	check(err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root}),
		tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
