package conf

import "testing"

// benchTenant is a tenant file of thirty lines.
const benchTenant = `# a customer
hosts:
  - shop.example.com
  - www.shop.example.com
  - host: api.shop.example.com
    body: 1MiB
    timeouts:
      connect: 1s
      first_byte: 10m
groups:
  - gold
  - eu
timeouts:
  connect: 3s
  first_byte: 60s
body: 64MiB
status: 404
weights:
  one: 1
  two: 3
levels: [1, 2, 3]
set:
  X-Frame-Options: DENY
  X-Content-Type-Options: nosniff
  Referrer-Policy: same-origin
  Cache-Control: no-store
plain: a word or two
open: true
x-owner: it@shop.example.com
x-ticket: 4711
`

func BenchmarkDecode(b *testing.B) {
	text := []byte(benchTenant)
	decoder := NewDecoder()
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		var into sampleSite
		var r Report
		decoder.Decode("tenants/shop.yaml", text, &into, &r)
		if r.Faults() > 0 {
			b.Fatal(r.Findings())
		}
	}
}

// BenchmarkParse is the part of BenchmarkDecode that the YAML library takes.
func BenchmarkParse(b *testing.B) {
	text := []byte(benchTenant)
	b.ReportAllocs()
	for b.Loop() {
		var r Report
		if parse("tenants/shop.yaml", text, &r) == nil {
			b.Fatal(r.Findings())
		}
	}
}

func BenchmarkMerge(b *testing.B) {
	decoder := NewDecoder()
	var defaults, tenant sampleSite
	var r Report
	decoder.Decode("f", []byte(benchTenant), &defaults, &r)
	decoder.Decode("g", []byte(benchTenant), &tenant, &r)
	b.ReportAllocs()
	for b.Loop() {
		effective := defaults
		decoder.Merge(&effective, &tenant)
	}
}
