package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"gatehouse/internal/admin"
)

func keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Show which key seals how much of the state",
		Long: "Show which key seals how much of the state. Keys are shown by their id, which tells\n" +
			"nothing about them. Exit code 1 if the running process lacks a key that something\n" +
			"is sealed with.",
		Example: "  gatehouse keys\n  gatehouse keys --json\n  gatehouse keys rotate",
		Args:    exactly(0, "no arguments, or the command rotate"),
	}
	to, asJSON := targetFlags(cmd), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := clientOf(to)
		if err != nil {
			return err
		}
		status, err := client.Keys(cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), status)
		} else {
			err = printKeys(cmd.OutOrStdout(), status)
		}
		if err == nil && !wholeRing(status) {
			return notFine{}
		}
		return err
	}
	cmd.AddCommand(keysRotateCommand())
	return cmd
}

// wholeRing reports whether every key that seals something is there.
func wholeRing(s admin.KeysStatus) bool {
	for _, k := range s.Keys {
		if k.Role == "missing" {
			return false
		}
	}
	return true
}

func printKeys(w io.Writer, s admin.KeysStatus) error {
	fmt.Fprintf(w, "keys %s\n\n", s.Protection)
	t := newTable(w, "KEY", "ROLE", "BLOBS", "KEPT IN")
	for _, k := range s.Keys {
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\n", k.ID, k.Role, k.Blobs, k.Source)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if s.Damaged > 0 {
		fmt.Fprintf(w, "\n%s damaged: set aside, and made again, when next read\n", plural(s.Damaged, "blob"))
	}
	if s.Rotation != nil {
		fmt.Fprintf(w, "\na rotation is under way: %d of %s\n", s.Rotation.Done, plural(s.Rotation.Blobs, "blob"))
	}
	return nil
}

func keysRotateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Seal everything with the key that the main file names now, while serving",
		Long: "Seal everything in the state folder with the key that `seal` names first now, while\n" +
			"serving; where `seal` names none, with a new one beside the state. Write the new\n" +
			"key in front of the former one, seal: [{file: NEW}, {file: FORMER}], rotate, and\n" +
			"take the former one out. It may be interrupted anywhere: everything opens, and\n" +
			"another rotate goes on. It goes on by itself when this command is ended.",
		Example: "  gatehouse keys rotate\n  gatehouse keys rotate --json",
		Args:    exactly(0, "no arguments"),
	}
	to, asJSON := targetFlags(cmd), jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := clientOf(to)
		if err != nil {
			return err
		}
		done, err := client.RotateKeys(cmd.Context(), func(now admin.KeysProgress) {
			fmt.Fprintf(cmd.ErrOrStderr(), "%d of %s\n", now.Done, plural(now.Blobs, "blob"))
		})
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), done)
		}
		printRotated(cmd.OutOrStdout(), done)
		return nil
	}
	return cmd
}

func printRotated(w io.Writer, r admin.KeysRotated) {
	fmt.Fprintf(w, "all is sealed with key %s (%s): %s, %d sealed anew\n", r.ID, r.Source, plural(r.Blobs, "blob"), r.Sealed)
	if r.Shut > 0 {
		fmt.Fprintf(w, "%s opened with no key and stayed as they were: %s\n", plural(r.Shut, "blob"), some(r.Names))
	}
	for _, source := range r.Unused {
		fmt.Fprintf(w, "nothing needs the %s any more; take it out of `seal`\n", source)
	}
}
