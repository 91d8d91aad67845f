package pgtest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// lifeline holds the cluster's standard input open: when this process ends, in
// whatever way, the cluster reads the end of it and cleans up.
var lifeline io.WriteCloser //lint:ignore U1000 it is kept, not read

// keeper starts the server $2 in the directory $1 and removes both when its
// standard input ends.
const keeper = `dir=$1; shift; "$@" & pid=$!; cat >/dev/null; kill -QUIT $pid; wait $pid; rm -rf "$dir"`

// start makes a cluster that listens on a socket in a directory of its own, and
// waits until it answers.
func start() (string, error) {
	bin, err := binaries()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "v402pg")
	if err != nil {
		return "", err
	}
	who, err := unprivileged(dir)
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, who
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(dir))
	}
	log, err := serve(dir, who, filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=1000")
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/postgres", RawQuery: url.Values{"host": {dir}}.Encode()}
	if err := await(u.String()); err != nil {
		return "", fmt.Errorf("%w: %s", err, log())
	}
	return u.String(), nil
}

// serve starts the server under its keeper and returns how to read its log.
func serve(dir string, who *processAttributes, command ...string) (log func() []byte, err error) {
	file, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", keeper, "sh", dir}, command...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = dir, file, file, who
	if lifeline, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() []byte {
		b, _ := os.ReadFile(file.Name())
		return bytes.TrimSpace(b)
	}, nil
}

// patience bounds what a busy machine may take for what it does in a moment.
const patience = 2 * time.Minute

// await waits until the server answers.
func await(database string) error {
	db, err := sql.Open("pgx", database)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := db.PingContext(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// binaries finds the directory of initdb and postgres.
func binaries() (string, error) {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	installed, err := filepath.Glob("/usr/lib/postgresql/*/bin") // Debian keeps them off the PATH
	if err != nil {
		return "", err
	}
	slices.Reverse(installed)
	for _, dir := range append(dirs, installed...) {
		if executable(filepath.Join(dir, "initdb")) && executable(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	return "", errors.New("initdb and postgres are not installed")
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
