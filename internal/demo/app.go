package demo

import (
	"embed"
	"html/template"
	"net/http"
	"strings"
)

//go:embed page.html.tmpl
var pages embed.FS

// App returns the application of one sample tenant. Every path shows the same
// page: who the application is and what the gateway told it of the request.
func App(tenant string) http.Handler {
	page := template.Must(template.ParseFS(pages, "page.html.tmpl"))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := view{Tenant: tenant, Title: strings.ToUpper(tenant[:1]) + tenant[1:], Request: r.Method + " " + r.URL.Path}
		for _, name := range []string{"Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Tenant", "X-Request-Id"} {
			value := r.Header.Get(name)
			if name == "Host" {
				value = r.Host
			}
			seen.Facts = append(seen.Facts, fact{name, value})
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = page.Execute(w, seen) // the client is gone: nothing is lost
	})
}

// view is what the page shows.
type view struct {
	Tenant, Title, Request string
	Facts                  []fact
}

type fact struct{ Name, Value string }
