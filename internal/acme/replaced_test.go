package acme

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A responder that takes its time does not bring a certificate back that was
// replaced meanwhile: neither by an order nor by an import.
func TestLateStapleOfReplacedCertificate(t *testing.T) {
	const host = "pa.acme.example"
	for name, replace := range map[string]func(*testing.T, *keeping){
		"order": func(t *testing.T, k *keeping) {
			if err := k.m.Renew(t.Context(), host); err != nil {
				t.Fatal(err)
			}
		},
		"import": func(t *testing.T, k *keeping) {
			chain, key := k.pemPair(host)
			if err := k.m.Import(t.Context(), host, chain, key); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := keep(t)
				asks, answers := 0, make(chan struct{})
				k.ca.staples = func(*bundle) (staple, error) {
					if asks++; asks == 2 {
						<-answers
					}
					return staple{Response: []byte{1}, Until: k.now().Add(48 * time.Hour), Again: k.now().Add(24 * time.Hour)}, nil
				}
				k.m.Configure(testSettings())
				k.m.SetHosts(one(host))
				k.run()
				settle(25 * time.Hour)
				replace(t, k)
				settle(time.Minute)
				want := k.status(host).Serial
				close(answers)
				settle(time.Minute)
				b, err := k.ca.shelf.get(t.Context(), host)
				if err != nil {
					t.Fatal(err)
				}
				if stored, served := serialOf(mustLeaf(t, b)), k.status(host).Serial; asks < 2 || stored != want || served != want {
					t.Errorf("certificate %s is stored, %s is served, want %s", stored, served, want)
				}
				k.end()
			})
		})
	}
}

// A certificate that somebody brought can be revoked by whoever issued it
// alone, and that is said.
func TestRevokeImported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keep(t)
		e := newEngine(k.blobs, testLog(t), k.now)
		e.configure(testSettings())
		_, err := e.issuer(&bundle{CA: imported})
		if err == nil || !strings.Contains(err.Error(), "it was imported") {
			t.Errorf("%v", err)
		}
	})
}
