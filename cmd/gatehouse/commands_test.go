package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience bounds how long a script waits for something; what takes longer on
// the slowest machine is broken.
const patience = time.Minute

// ports sets each variable to a port that is free now: `ports HTTP HTTPS`. They
// lie below those that the kernel hands out, so that no client takes them, and
// stay this script's own until it ends: whoever holds the abstract socket named
// after a port may use it.
func ports(ts *testscript.TestScript, neg bool, names []string) {
	const lowest, highest = 20000, 32000
	if neg || len(names) == 0 {
		ts.Fatalf("usage: ports NAME...")
	}
	for tries := 0; len(names) > 0; tries++ {
		if tries == 1000 {
			ts.Fatalf("no port is free")
		}
		port := lowest + mathrand.IntN(highest-lowest)
		claim, err := net.Listen("unix", fmt.Sprintf("@gatehouse-e2e-port-%d", port))
		if err != nil {
			continue
		}
		ts.Defer(func() { _ = claim.Close() })
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		_ = l.Close()
		ts.Setenv(names[0], strconv.Itoa(port))
		names = names[1:]
	}
}

// expand replaces ${NAME} in files by the variable: `expand gatehouse.yaml`.
func expand(ts *testscript.TestScript, neg bool, files []string) {
	if neg || len(files) == 0 {
		ts.Fatalf("usage: expand FILE...")
	}
	for _, name := range files {
		path := ts.MkAbs(name)
		text, err := os.ReadFile(path)
		ts.Check(err)
		ts.Check(os.WriteFile(path, []byte(os.Expand(string(text), ts.Getenv)), 0o600))
	}
}

// exits runs a command and wants just this exit code: `exits 2 gatehouse run x`.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit := new(exec.ExitError)
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%q exits with %d, want %d", args[1:], got, want)
	}
}

// eventually runs a command until it succeeds: `eventually gatehouse status`. It
// is for what has no other sign of having happened.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: eventually COMMAND [ARGUMENT...]")
	}
	deadline := time.After(patience)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for ts.Exec(args[0], args[1:]...) != nil {
		select {
		case <-again.C:
		case <-deadline:
			ts.Fatalf("%q does not succeed", args)
		}
	}
}

// signalProcess sends a signal to the process in the background: `signal HUP`.
func signalProcess(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM}
	background := ts.BackgroundCmds()
	if neg || len(args) != 1 || signals[args[0]] == nil || len(background) != 1 {
		ts.Fatalf("usage: signal HUP|INT|KILL|TERM, with one process in the background")
	}
	ts.Check(background[0].Process.Signal(signals[args[0]]))
}

// get asks for a URL with a Host of its own and wants a status:
// `get 308 http://127.0.0.1:80/ acme.example`.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: get STATUS URL HOST")
	}
	request, err := http.NewRequest(http.MethodGet, args[1], nil)
	ts.Check(err)
	request.Host = args[2]
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := transport.RoundTrip(request)
	ts.Check(err)
	_ = answer.Body.Close()
	if got := strconv.Itoa(answer.StatusCode); got != args[0] {
		ts.Fatalf("GET %s is answered %s, want %s", args[1], got, args[0])
	}
}

// pair makes a certificate for hosts, and its key: `pair cert.pem key.pem a.example`.
func pair(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: pair CERT KEY HOST...")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: args[2:],
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ts.Check(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	for name, block := range map[string]*pem.Block{
		args[0]: {Type: "CERTIFICATE", Bytes: cert},
		args[1]: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		var text bytes.Buffer
		ts.Check(pem.Encode(&text, block))
		ts.Check(os.WriteFile(ts.MkAbs(name), text.Bytes(), 0o600))
	}
}
