package tlsconfig

import (
	"crypto/tls"
	"sync"
	"testing"
	"time"
)

func TestSessionResumesUnderItsName(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		c, key := counted(t, "a.example")
		d := newDoor(c)
		client := d.client("a.example", version, new(oneSession))
		if d.shake(t, client).server.DidResume || key.signatures.Load() != 1 {
			t.Fatal("the first handshake is not a full one")
		}
		for range 3 {
			if !d.shake(t, client).server.DidResume || key.signatures.Load() != 1 {
				t.Error("the session is not resumed")
			}
		}
		client.ServerName = "A.Example"
		if !d.shake(t, client).server.DidResume {
			t.Error("the session is not resumed when the name is written in capitals")
		}
	})
}

// TestSessionIsBound offers the session of a.example after something changed,
// and wants a full handshake that succeeds.
func TestSessionIsBound(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		for _, test := range []struct {
			name   string
			change func(d *door, client *tls.Config)
		}{
			{"other tenant's host", func(d *door, client *tls.Config) {
				d.tenants["b.example"] = "two"
				client.ServerName = "b.example"
			}},
			{"other host of the tenant", func(_ *door, client *tls.Config) { client.ServerName = "b.example" }},
			{"host went to another tenant", func(d *door, _ *tls.Config) { d.tenants["a.example"] = "two" }},
			{"too old", func(d *door, _ *tls.Config) { d.clock = d.clock.Add(ticketMaxAge) }},
			{"from the future", func(d *door, _ *tls.Config) { d.clock = d.clock.Add(-2 * clockSlack) }},
			{"keys gone", func(d *door, _ *tls.Config) { d.policies.SetTicketKeys([][32]byte{{9}}) }},
		} {
			c, key := counted(t, "a.example", "b.example")
			d := newDoor(c)
			client := d.client("a.example", version, new(oneSession))
			d.shake(t, client)
			if !d.shake(t, client).server.DidResume {
				t.Fatalf("%s: the session is not resumed before the change", test.name)
			}
			before := key.signatures.Load()
			test.change(d, client)
			r := d.shake(t, client)
			if r.server.DidResume || r.client.DidResume || key.signatures.Load() != before+1 {
				t.Errorf("%s: the session is resumed", test.name)
			}
			if !d.shake(t, client).server.DidResume {
				t.Errorf("%s: the new session is not resumed", test.name)
			}
		}
	})
}

// TestSessionIsBoundToProfile needs TLS 1.3, which both profiles have.
func TestSessionIsBoundToProfile(t *testing.T) {
	c, key := counted(t, "a.example")
	d := newDoor(c)
	client := d.client("a.example", tls.VersionTLS13, new(oneSession))
	d.shake(t, client)
	for _, profile := range []Profile{Modern, Intermediate} {
		d.profiles["a.example"] = profile
		before := key.signatures.Load()
		if d.shake(t, client).server.DidResume || key.signatures.Load() != before+1 {
			t.Errorf("a session of the other profile is resumed under %v", profile)
		}
		if !d.shake(t, client).server.DidResume {
			t.Errorf("a session of %v is not resumed", profile)
		}
	}
}

func TestSessionOfUnknownTenantIsUseless(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		c, _ := counted(t, "a.example")
		d := newDoor(c)
		client := d.client("a.example", version, new(oneSession))
		server := d.policies.Config(Intermediate)
		delete(d.tenants, "a.example") // while the handshake is under way
		if r := handshake(server, client); r.clientErr != nil {
			t.Fatal(r.clientErr)
		}
		if r := handshake(server, client); r.clientErr != nil || r.server.DidResume {
			t.Errorf("resumed %v, %v, want a full handshake", r.server.DidResume, r.clientErr)
		}
		d.tenants["a.example"] = ""
		if r := handshake(server, client); r.clientErr != nil || r.server.DidResume {
			t.Errorf("resumed %v, %v, want a full handshake", r.server.DidResume, r.clientErr)
		}
	})
}

// TestSessionWithoutStamp has a configuration that shares the keys and knows
// nothing of stamps, as a mistake in the program might.
func TestSessionWithoutStamp(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		c, _ := counted(t, "a.example")
		d := newDoor(c)
		client := d.client("a.example", version, new(oneSession))
		keys := [][32]byte{{7}}
		d.policies.SetTicketKeys(keys)
		plain := &tls.Config{Certificates: []tls.Certificate{*c.TLS()}, Time: d.policies.Config(Intermediate).Time}
		plain.SetSessionTicketKeys(keys)
		handshake(plain, client)
		if r := handshake(plain, client); r.clientErr != nil || !r.server.DidResume {
			t.Fatalf("the plain session does not resume: %v", r.clientErr)
		}
		if d.shake(t, client).server.DidResume {
			t.Error("a session without a stamp is resumed")
		}
	})
}

func TestSessionAge(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		c, _ := counted(t, "a.example")
		d := newDoor(c)
		client := d.client("a.example", version, new(oneSession))
		d.shake(t, client)
		d.clock = d.clock.Add(ticketMaxAge - time.Second)
		if !d.shake(t, client).server.DidResume {
			t.Fatal("a session younger than a day is not resumed")
		}
		// The ticket is new, and with it the secret on TLS 1.3. TLS 1.2 keeps
		// the secret of the full handshake, so that one's age counts.
		d.clock = d.clock.Add(time.Hour)
		if got, want := d.shake(t, client).server.DidResume, version == tls.VersionTLS13; got != want {
			t.Errorf("with the ticket of a resumption, a day after the full handshake: resumed %v, want %v", got, want)
		}
	})
}

func TestTicketKeyRotation(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		c, _ := counted(t, "a.example")
		d := newDoor(c)
		cache := new(oneSession)
		client := d.client("a.example", version, cache)
		d.policies.SetTicketKeys([][32]byte{{1}})
		d.shake(t, client)
		old := cache.session
		d.policies.SetTicketKeys([][32]byte{{2}, {1}})
		if !d.shake(t, client).server.DidResume {
			t.Error("after one rotation the session is not resumed")
		}
		d.policies.SetTicketKeys([][32]byte{{3}, {2}})
		if !d.shake(t, client).server.DidResume {
			t.Error("the ticket that came with the resumption has the old key")
		}
		cache.session = old
		if d.shake(t, client).server.DidResume {
			t.Error("a session whose key is gone is resumed")
		}
	})
}

func TestTicketKeyRotationUnderLoad(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		c, _ := counted(t, "a.example")
		d := newDoor(c)
		const workers, handshakes = 4, 10
		var busy sync.WaitGroup
		for range workers {
			busy.Go(func() {
				client := d.client("a.example", version, new(oneSession))
				for range handshakes {
					if r := handshake(d.config(), client); r.clientErr != nil || r.serverErr != nil {
						t.Errorf("client: %v, server: %v", r.clientErr, r.serverErr)
					}
				}
			})
		}
		stop := make(chan struct{})
		rotated := make(chan struct{})
		go func() {
			defer close(rotated)
			for i := byte(1); ; i++ {
				select {
				case <-stop:
					return
				default:
					d.policies.SetTicketKeys([][32]byte{{i}, {i - 1}, {i - 2}})
				}
			}
		}()
		busy.Wait()
		close(stop)
		<-rotated
	})
}

func TestStamp(t *testing.T) {
	want := stamp{issued: 1_700_000_000, binding: [32]byte{1, 2, 3}}
	good := want.append(nil)
	if got, ok := stampOf([][]byte{[]byte("other"), good}); !ok || got != want {
		t.Errorf("stampOf = %v, %v, want %v", got, ok, want)
	}
	for _, extra := range [][][]byte{nil, {{}}, {good[:len(good)-1]}, {append(good, 0)}, {good[1:]}} {
		if _, ok := stampOf(extra); ok {
			t.Errorf("stampOf(%q) found a stamp", extra)
		}
	}
}
