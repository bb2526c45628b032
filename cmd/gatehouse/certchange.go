package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse/internal/admin"
)

// pemBytesMax bounds a file that is imported; a chain of ten certificates has
// 30 KiB.
const pemBytesMax = 1 << 20

func certsRenewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "renew HOST...",
		Short: "Obtain new certificates ahead of the queue",
		Long: "Obtain new certificates for hosts ahead of the queue. The budget holds all the same:\n" +
			"where it is used up, the hosts are the first to be ordered for. It does not wait;\n" +
			"gatehouse certs says what became of it.",
		Example: "  gatehouse certs renew pa.acme.example www.acme.example",
		Args:    atLeastOne("the hosts to renew"),
	}
	to := targetFlags(cmd)
	completeHosts(cmd, to)
	cmd.RunE = func(cmd *cobra.Command, hosts []string) error {
		client, err := clientOf(to)
		if err != nil {
			return err
		}
		var failed []error
		for _, host := range hosts {
			if err := client.RenewCertificate(cmd.Context(), host); err != nil {
				failed = append(failed, err)
				continue
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: first in the queue\n", host)
		}
		return errors.Join(failed...)
	}
	return cmd
}

func certsImportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import HOST",
		Short: "Take a certificate and its key into use for a host",
		Long: "Take a certificate that was obtained elsewhere, with its key, into use for a host whose\n" +
			"certificates come by acme. It is stored, sealed, and renewed by acme in time. A pair\n" +
			"that stays in files belongs in tls.certificates instead.",
		Example: "  gatehouse certs import pa.acme.example --cert chain.pem --key key.pem",
		Args:    exactly(1, "the host"),
	}
	to := targetFlags(cmd)
	completeHosts(cmd, to)
	cert := cmd.Flags().String("cert", "", "PEM file: the certificate, then the chain that signed it")
	key := cmd.Flags().String("key", "", "PEM file: its private key, without a passphrase")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *cert == "" || *key == "" {
			return usagef("%s needs --cert FILE and --key FILE", cmd.CommandPath())
		}
		pair, err := readPair(*cert, *key)
		if err != nil {
			return err
		}
		client, err := clientOf(to)
		if err != nil {
			return err
		}
		if err := client.ImportCertificate(cmd.Context(), args[0], pair); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: imported\n", args[0])
		return nil
	}
	return cmd
}

func readPair(cert, key string) (pair admin.Pair, err error) {
	if pair.Chain, err = readPEM(cert); err != nil {
		return pair, err
	}
	pair.Key, err = readPEM(key)
	return pair, err
}

func readPEM(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, pemBytesMax+1))
	if err == nil && len(text) > pemBytesMax {
		err = fmt.Errorf("%s has more than %d bytes; expected PEM", path, pemBytesMax)
	}
	return text, err
}

func certsExportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export HOST",
		Short: "Print the certificate of a host with its private key, as PEM",
		Long: "Print the certificate that acme holds for a host, the chain that signed it and its\n" +
			"private key, as PEM. The key is not printed on a terminal unless --force says so.\n" +
			"Who exported what is in the log.",
		Example: "  gatehouse certs export pa.acme.example > pair.pem\n  gatehouse certs export pa.acme.example --no-key",
		Args:    exactly(1, "the host"),
	}
	to := targetFlags(cmd)
	completeHosts(cmd, to)
	noKey := cmd.Flags().Bool("no-key", false, "leave the private key out")
	force := cmd.Flags().Bool("force", false, "print the private key on a terminal, too")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		w := cmd.OutOrStdout()
		if !*noKey && !*force && isTerminal(w) {
			return usagef("a private key does not belong on a terminal; redirect it into a file, or leave it out with --no-key")
		}
		client, err := clientOf(to)
		if err != nil {
			return err
		}
		pair, err := client.ExportCertificate(cmd.Context(), args[0], !*noKey)
		if err != nil {
			return err
		}
		_, err = w.Write(slices.Concat(pair.Chain, pair.Key))
		return err
	}
	return cmd
}

// completeHosts has shells complete hosts whose certificates come by acme, as
// the running process knows them.
func completeHosts(cmd *cobra.Command, to *target) {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		var hosts []string
		if client, err := clientOf(to); err == nil {
			list, _ := client.Certificates(cmd.Context(), "", "") // a shell is told nothing else
			for _, c := range list {
				if c.Source == "acme" && strings.HasPrefix(c.Names[0], begun) {
					hosts = append(hosts, c.Names[0])
				}
			}
		}
		return hosts, cobra.ShellCompDirectiveNoFileComp
	}
}

// isTerminal reports whether people read what is written to w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&fs.ModeCharDevice != 0 && f.Name() != os.DevNull
}

// A revocationReason is a word of RFC 5280 section 5.3.1 that the owner of a
// certificate may give (RFC 8555 section 7.6), and its number.
type revocationReason struct {
	word   string
	number int
}

func revocationReasons() []revocationReason {
	return []revocationReason{
		{"unspecified", 0},
		{"key-compromise", 1},
		{"affiliation-changed", 3},
		{"superseded", 4},
		{"cessation-of-operation", 5},
	}
}

func certsRevokeCommand() *cobra.Command {
	var words []string
	for _, r := range revocationReasons() {
		words = append(words, r.word)
	}
	cmd := &cobra.Command{
		Use:   "revoke HOST",
		Short: "Revoke the certificate of a host, and obtain another with a new key",
		Long: "Have the authority revoke the certificate of a host, and obtain another with a new key\n" +
			"ahead of the queue. The revoked one is served until then. It cannot be undone.",
		Example: "  gatehouse certs revoke pa.acme.example --reason key-compromise",
		Args:    exactly(1, "the host"),
	}
	to := targetFlags(cmd)
	completeHosts(cmd, to)
	reason := cmd.Flags().String("reason", "", "why: "+strings.Join(words, ", "))
	completeWords(cmd, "reason", words)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *reason == "" {
			return usagef("%s needs --reason: %s", cmd.CommandPath(), strings.Join(words, ", "))
		}
		if err := oneOf("reason", *reason, words); err != nil {
			return err
		}
		client, err := clientOf(to)
		if err != nil {
			return err
		}
		number := revocationReasons()[slices.Index(words, *reason)].number
		if err := client.RevokeCertificate(cmd.Context(), args[0], number); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: revoked; another certificate is first in the queue\n", args[0])
		return nil
	}
	return cmd
}
