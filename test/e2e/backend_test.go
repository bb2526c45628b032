package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// nginx is one backend of a tenant. It answers with the tenant's name and what it was told about the request, and
// writes down what it saw.
type nginx struct {
	tenant string
	port   int
	log    string
	dir    string
	cmd    *exec.Cmd
	said   *transcript
}

// seen is one line of a backend's log.
type seen struct {
	Host, Target, Tenant, Client string
}

const nginxConf = `daemon off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log stderr;
%[2]s
events { worker_connections 512; }
http {
  log_format seen escape=json '{"Host":"$http_host","Target":"$request_uri","Tenant":"$http_x_tenant","Client":"$http_x_forwarded_for"}';
  access_log %[1]s/seen.log seen;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  keepalive_requests 1000000;
  server {
    listen 127.0.0.1:%[3]d;
    default_type text/html;
    add_header X-Backend %[4]s;
    add_header Strict-Transport-Security max-age=1;
    location /files/ {
      alias %[1]s/files/;
    }
    location / {
      return 200 "<!doctype html><title>%[4]s</title><p>tenant=$http_x_tenant host=$http_host client=$http_x_forwarded_for proto=$http_x_forwarded_proto forwarded_host=$http_x_forwarded_host ref=$http_x_request_id target=$request_uri\n";
    }
  }
}
`

func startNginx(t *testing.T, tenant string) *nginx {
	t.Helper()
	path := tool(t, "nginx")
	dir := t.TempDir()
	n := &nginx{tenant: tenant, port: freePorts(t, 1)[0], log: filepath.Join(dir, "seen.log")}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // its worker must reach the temporary folder, which is root's alone
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, user, n.port, tenant), 0o600); err != nil {
		t.Fatal(err)
	}
	n.dir, n.said = dir, &transcript{}
	n.run(t, path)
	t.Cleanup(func() {
		_ = n.cmd.Process.Signal(syscall.SIGTERM)
		_ = n.cmd.Wait()
		if t.Failed() {
			t.Logf("nginx of %s said:\n%s", tenant, n.said)
		}
	})
	return n
}

// run starts its process, in a group of its own.
func (n *nginx) run(t *testing.T, path string) {
	t.Helper()
	n.cmd = exec.Command(path, "-p", n.dir, "-c", filepath.Join(n.dir, "nginx.conf"), "-e", "stderr")
	n.cmd.Stdout, n.cmd.Stderr = n.said, n.said
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "nginx of "+n.tenant+" listens", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", n.port))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// kill ends it without a chance to say goodbye, its worker too, and restart
// brings it back.
func (n *nginx) kill() {
	_ = syscall.Kill(-n.cmd.Process.Pid, syscall.SIGKILL)
	_ = n.cmd.Wait()
}

func (n *nginx) restart(t *testing.T) {
	t.Helper()
	n.run(t, tool(t, "nginx"))
}

func (n *nginx) url() string { return fmt.Sprintf("http://127.0.0.1:%d", n.port) }

// requests is what the backend saw so far. nginx writes its line after the answer has left; a last request of our own
// stands behind all others, so everything before it is in.
func (n *nginx) requests(t *testing.T) []seen {
	t.Helper()
	mark := fmt.Sprintf("/mark-%d", time.Now().UnixNano())
	answer, err := http.Get(n.url() + mark)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	var out []seen
	eventually(t, 5*time.Second, "the backend's log is written", func() bool {
		text, err := os.ReadFile(n.log)
		if err != nil || !strings.Contains(string(text), mark) {
			return false
		}
		out = nil
		for line := range strings.Lines(string(text)) {
			var s seen
			if json.Unmarshal([]byte(line), &s) == nil && !strings.HasPrefix(s.Target, "/mark-") {
				out = append(out, s)
			}
		}
		return true
	})
	return out
}

// messageMax bounds a WebSocket message on both sides; the library's own bound is 32 KiB.
const messageMax = 1 << 20

// echo is a backend that answers WebSocket messages with themselves, and other requests with its name.
func echo(t *testing.T, name string) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			w.Header().Set("X-Backend", name)
			fmt.Fprintln(w, name)
			return
		}
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(messageMax)
		for {
			kind, text, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, text) != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	return server
}

// A listening is a backend that takes connections and keeps every byte, and never says a word.
type listening struct {
	net.Listener
	mu    sync.Mutex
	bytes []byte
	conns []net.Conn
}

func silent(t *testing.T) *listening {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &listening{Listener: l}
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			readers.Go(func() { s.keep(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for _, c := range s.conns {
			c.Close()
		}
		s.mu.Unlock()
		readers.Wait()
	})
	return s
}

func (s *listening) keep(c net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		s.mu.Lock()
		s.bytes = append(s.bytes, buf[:n]...)
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *listening) url() string { return "http://" + s.Addr().String() }

// heard is everything that reached the backend.
func (s *listening) heard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.bytes)
}
