// Command etcd is etcd with its two tools in one binary: started under the name of
// etcdctl or etcdutl, as through a symbolic link, it is that tool, and else the server.
// The three share most of their code, so that one costs a little more than the server.
// Under the name of etcd-handover it gives this host's leadership to another member.
// The server is not started where its member has begun before and its data are gone.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/etcdctl/v3/ctlv3"
	"go.etcd.io/etcd/etcdutl/v3/etcdutl"
	"go.etcd.io/etcd/pkg/v3/cobrautl"
	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	switch filepath.Base(os.Args[0]) {
	case "etcdctl":
		ctlv3.MustStart()
	case "etcdutl":
		if err := utility().Execute(); err != nil {
			cobrautl.ExitWithError(cobrautl.ExitError, err)
		}
	case "etcd-handover":
		if err := handOver(); err != nil {
			fmt.Fprintln(os.Stderr, "etcd-handover:", err)
			os.Exit(1)
		}
	default:
		args, err := guard(os.Args, os.Getenv(notesVariable))
		if err != nil {
			fmt.Fprintln(os.Stderr, "etcd is not started:", err)
			os.Exit(1)
		}
		etcdmain.Main(args)
	}
}

// utility puts etcdutl's commands under a root, since its own is not to be imported.
func utility() *cobra.Command {
	cobra.EnablePrefixMatching = true
	formats := []string{"fields", "json", "protobuf", "simple", "table"}
	root := &cobra.Command{Use: "etcdutl", Short: "Works on etcd's data files, with no server running"}
	root.SetHelpTemplate(`{{.UsageString}}`)
	root.PersistentFlags().StringVarP(&etcdutl.OutputFormat, "write-out", "w", "simple",
		"set the output format (fields, json, protobuf, simple, table)")
	cobra.CheckErr(root.RegisterFlagCompletionFunc("write-out", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveDefault)))
	root.AddCommand(
		etcdutl.NewDefragCommand(),
		etcdutl.NewHashKVCommand(),
		etcdutl.NewMigrateCommand(),
		etcdutl.NewSnapshotCommand(),
		etcdutl.NewVersionCommand(),
		etcdutl.NewCompletionCommand(),
	)
	return root
}
