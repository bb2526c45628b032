package main

import (
	"crypto/rand"
	"crypto/x509"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"gatehouse/internal/acme/acmetest"
	"gatehouse/internal/demo"
	"gatehouse/internal/dnsquery/dnstest"
)

//go:embed table
var table embed.FS

// lab is what the gateway is played with.
type lab struct {
	dir            string
	directory, dns string // where the authority and DNS are
	httpPort       int
	httpsPort      int
	issuer         *x509.CertPool
	closers        []func()
}

// furnish starts everything but the gateway, and writes its table into dir.
func furnish(dir string) (l *lab, err error) {
	l = &lab{dir: dir}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.httpPort, err = freePort(8080); err != nil {
		return l, err
	}
	if l.httpsPort, err = freePort(8443); err != nil {
		return l, err
	}
	values := map[string]string{"HTTP": strconv.Itoa(l.httpPort), "HTTPS": strconv.Itoa(l.httpsPort)}
	for name, tenant := range map[string]string{"ACME": "acme", "GLOBEX": "globex"} {
		if values[name], err = l.serveApp(tenant); err != nil {
			return l, err
		}
	}
	if err := l.startAuthority(); err != nil {
		return l, err
	}
	values["DNS"], values["DIRECTORY"] = l.dns, l.directory
	return l, l.write(values)
}

func (l *lab) close() {
	for i := len(l.closers) - 1; i >= 0; i-- {
		l.closers[i]()
	}
}

// startAuthority starts DNS and the authority that asks it.
func (l *lab) startAuthority() error {
	dns, err := dnstest.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	l.closers = append(l.closers, dns.Close)
	l.dns = dns.Addr()
	key := []byte(rand.Text())
	dns.Zone("example", "wild.example")
	dns.AllowUpdates("wild.example", "gatehouse.", key)
	dns.Add("pa.acme.example. A 127.0.0.1", "www.globex.example. A 127.0.0.1", "lost.globex.example. A 127.0.0.99")

	authority, err := acmetest.Start(acmetest.Options{DNS: l.dns, HTTPPort: l.httpPort, TLSPort: l.httpsPort})
	if err != nil {
		return err
	}
	l.closers = append(l.closers, authority.Stop)
	l.directory = authority.Directory
	issuer, err := authority.RootPEM()
	l.issuer = x509.NewCertPool()
	l.issuer.AppendCertsFromPEM(issuer)
	return errors.Join(err,
		l.put("issuer.pem", issuer),
		l.put("authority.pem", authority.Root),
		l.put("tsig.key", []byte(base64.StdEncoding.EncodeToString(key)+"\n")))
}

func (l *lab) put(name string, text []byte) error {
	path := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// write writes the table, its places filled in.
func (l *lab) write(values map[string]string) error {
	return fs.WalkDir(table, "table", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := table.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("table", name)
		if err != nil {
			return err
		}
		return l.put(rel, []byte(os.Expand(string(text), func(key string) string { return values[key] })))
	})
}

// serveApp starts a sample application on a port of this machine.
func (l *lab) serveApp(tenant string) (address string, err error) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: demo.App(tenant), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(socket) }() // ends with close
	l.closers = append(l.closers, func() { _ = server.Close() })
	return socket.Addr().String(), nil
}

// freePort returns the first port from wish upwards that can be listened on.
func freePort(wish int) (int, error) {
	const tries = 100
	for port := wish; port < wish+tries; port++ {
		socket, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, socket.Close()
		}
	}
	return 0, fmt.Errorf("the ports %d to %d of this machine are all in use", wish, wish+tries-1)
}

// print prints lines that work as they stand.
func (l *lab) print(w io.Writer, gatehouse, config string) {
	curl := func(host string) string {
		return fmt.Sprintf("curl -sS --fail --cacert %s --resolve %s:%d:127.0.0.1 https://%s:%d/", filepath.Join(l.dir, "issuer.pem"), host, l.httpsPort, host, l.httpsPort)
	}
	fmt.Fprintln(w, "certificates are there. Try in another shell:")
	for _, line := range [][2]string{
		{"every host, its certificate, and what the owner of lost.globex.example must set", gatehouse + " certs -c " + config},
		{"a host that was proved over our own listeners", curl("pa.acme.example")},
		{"another tenant's", curl("www.globex.example")},
		{"a name below a wildcard, which was proved by a DNS record", curl("anything.wild.example")},
		{"why lost.globex.example has none; it spends nothing", gatehouse + " acme preflight lost.globex.example -c " + config + " || true"},
		{"another certificate, ahead of the queue", gatehouse + " certs renew pa.acme.example -c " + config},
		{"the account, and the budget", gatehouse + " acme account -c " + config + " && " + gatehouse + " acme budget -c " + config},
		{"another key for all that is stored, while serving", gatehouse + " keys rotate -c " + config},
	} {
		fmt.Fprintf(w, "\n# %s\n%s\n", line[0], line[1])
	}
	fmt.Fprintln(w, "\nCtrl-C ends it.")
}
