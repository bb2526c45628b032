package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/internal/admin"
)

func certsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "certs",
		Short: "Show every certificate, and every host that is to have one",
		Long: "Show every certificate that clients are shown, and every host that is to have one:\n" +
			"its state, who issued it, its end, when it is renewed, how many attempts are left\n" +
			"before its end at the present budget, and what its owner must set.\n" +
			"Exit code 1 if one of those shown has expired.",
		Example: "  gatehouse certs\n  gatehouse certs --state pending-dns --tenant acme\n  gatehouse certs ca > root.pem",
		Args:    exactly(0, "no arguments, or one of the commands ca, renew, import, export, revoke"),
	}
	to, asJSON := targetFlags(cmd), jsonFlag(cmd)
	state := cmd.Flags().String("state", "", "only those in this state: "+strings.Join(admin.CertificateStates(), ", "))
	tenant := cmd.Flags().String("tenant", "", "only those of this tenant")
	completeWords(cmd, "state", admin.CertificateStates())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := oneOf("state", *state, admin.CertificateStates()); err != nil {
			return err
		}
		client, err := clientOf(to)
		if err != nil {
			return err
		}
		list, err := client.Certificates(cmd.Context(), *state, *tenant)
		if err != nil {
			return err
		}
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), list)
		} else {
			err = printCertificates(cmd.OutOrStdout(), list, time.Now())
		}
		if err == nil && expired(list) {
			return notFine{}
		}
		return err
	}
	cmd.AddCommand(certsCACommand(), certsRenewCommand(), certsImportCommand(), certsExportCommand(), certsRevokeCommand())
	return cmd
}

func expired(list []admin.CertificateStatus) bool {
	for _, c := range list {
		if c.State == "expired" {
			return true
		}
	}
	return false
}

func printCertificates(w io.Writer, list []admin.CertificateStatus, now time.Time) error {
	t := newTable(w, "NAMES", "STATE", "ISSUER", "UNTIL", "RENEWAL", "ATTEMPTS", "NEXT", "TENANT", "SOURCE")
	for _, c := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", some(c.Names), c.State, orDash(c.Issuer), instant(c.NotAfter),
			window(c), attempts(c), next(c, now), orDash(c.Tenant), c.Source)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	printTroubles(w, list)
	return nil
}

// printTroubles says what the table has no room for: why a host has no
// certificate, and who must do what. What is the same for many is said once.
func printTroubles(w io.Writer, list []admin.CertificateStatus) {
	type trouble struct{ state, text string }
	var order []trouble
	names := make(map[trouble][]string)
	for _, c := range list {
		t := trouble{c.State, troubleOf(c)}
		if t.text == "" {
			continue
		}
		if names[t] == nil {
			order = append(order, t)
		}
		names[t] = append(names[t], c.Names...)
	}
	for _, t := range order {
		fmt.Fprintf(w, "\n%s (%s)\n  %s\n", some(names[t]), t.state, strings.ReplaceAll(t.text, "\n", "\n  "))
	}
}

// troubleOf returns what is to be said of one certificate, a line for each.
func troubleOf(c admin.CertificateStatus) string {
	lines := []string{c.Detail}
	if c.LastError != "" {
		lines = append(lines, "the authority says: "+c.LastError)
	}
	if c.Record != "" {
		lines = append(lines, "to set: "+c.Record)
	}
	return strings.Join(nonEmpty(lines), "\n")
}

func nonEmpty(lines []string) (kept []string) {
	for _, line := range lines {
		if line != "" {
			kept = append(kept, line)
		}
	}
	return kept
}

// instant prints a point in time; none is a dash.
func instant(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04Z")
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// window prints when a certificate is renewed.
func window(c admin.CertificateStatus) string {
	if c.RenewFrom.IsZero() {
		return "-"
	}
	return instant(c.RenewFrom) + ".." + instant(c.RenewUntil)
}

func attempts(c admin.CertificateStatus) string {
	if c.AttemptsLeft == nil {
		return "-"
	}
	return strconv.Itoa(*c.AttemptsLeft)
}

// next prints in how long something is tried, and in how long a host that waits
// for the budget has its turn.
func next(c admin.CertificateStatus, now time.Time) string {
	at := c.NextTry
	if c.Estimated.After(at) {
		at = c.Estimated
	}
	switch {
	case at.IsZero():
		return "-"
	case !at.After(now):
		return "now"
	}
	return "in " + roughly(at.Sub(now))
}

// roughly prints a duration as people say it: two units are enough.
func roughly(d time.Duration) string {
	d = d.Round(time.Second)
	days, hours, minutes := d/(24*time.Hour), d%(24*time.Hour)/time.Hour, d%time.Hour/time.Minute
	switch {
	case days > 0:
		return fmt.Sprintf("%dd%dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh%dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm%ds", minutes, d%time.Minute/time.Second)
	}
	return d.String()
}

func certsCACommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ca",
		Short:   "Print the root certificate of the internal CA, for clients to trust",
		Long:    "Print the root certificate of the internal CA as PEM, for clients to trust.",
		Example: "  gatehouse certs ca > root.pem",
		Args:    exactly(0, "no arguments"),
	}
	to := targetFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := clientOf(to)
		if err != nil {
			return err
		}
		pem, err := client.RootPEM(cmd.Context())
		if err == nil && len(pem) == 0 {
			err = errors.New("no host uses the internal CA; tls.certificates: {internal: true} does")
		}
		if err != nil {
			return err
		}
		_, err = cmd.OutOrStdout().Write(pem)
		return err
	}
	return cmd
}
