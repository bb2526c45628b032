package gateway

import (
	"time"

	"gatehouse/internal/admin"
	"gatehouse/internal/conf"
	"gatehouse/proxy"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// Config is the main file as written. Each part is declared by the package that
// enforces it.
type Config struct {
	Version  conf.At[string] `conf:"version,required" enum:"1" doc:"Version of this file's format." example:"1"`
	Listen   ListenSpec      `conf:"listen" doc:"Where connections are accepted."`
	TLS      tlsconfig.Spec  `conf:"tls" doc:"What is presented and demanded in handshakes, for every host that says nothing else."`
	State    conf.At[string] `conf:"state" default:"/var/lib/gatehouse" doc:"Folder of what outlives the process: internal CA, session ticket keys, last good tenant files. One process uses it at a time." example:"/var/lib/gatehouse"`
	Seal     *conf.Secret    `conf:"seal" doc:"The key that seals what lies in the state folder: 32 bytes, raw, hex or base64. Absent: a key is made beside the state, and status says that keys are not protected." example:"{credential: gatehouse-seal}"`
	Log      proxy.LogSpec   `conf:"log" doc:"The access log."`
	Shutdown ShutdownSpec    `conf:"shutdown" doc:"How the process goes down."`

	tenancy.MainSpec
}

// ListenSpec is the key `listen` as written.
type ListenSpec struct {
	HTTP       conf.List[string]               `conf:"http" default:"[\":80\"]" doc:"Addresses of plain HTTP: redirects to HTTPS, never an application byte." example:"[\":80\"]"`
	HTTPS      conf.List[tenancy.ListenerSpec] `conf:"https" default:"[\":443\"]" doc:"Addresses of HTTPS: HTTP/1.1 and HTTP/2." example:"[\":443\"]"`
	PublicPort conf.At[Port]                   `conf:"public_port" default:"the first https listener's" doc:"The port that redirects name." example:"443"`
	Health     *admin.HealthSpec               `conf:"health" doc:"Where load balancers ask /livez and /readyz. Absent: nowhere."`
	Admin      *admin.Spec                     `conf:"admin" doc:"Where /metrics and status are read over TCP. Absent: on the command socket only."`
	Later      conf.Later                      `conf:"http3"`
}

// ShutdownSpec is the key `shutdown` as written.
type ShutdownSpec struct {
	Announce conf.At[conf.Duration] `conf:"announce" default:"0s" doc:"How long connections are still accepted after SIGTERM, while /readyz says 503 and answers end their connection." example:"10s"`
	Drain    conf.At[conf.Duration] `conf:"drain" default:"30s" doc:"How long requests under way may take after that." example:"30s"`
}

// The built-in values of keys that a main file may leave out.
const (
	defaultState = "/var/lib/gatehouse"
	defaultHTTP  = ":80"
	defaultHTTPS = ":443"
	defaultDrain = conf.Duration(30 * time.Second)
)
