// Command registry is CNCF distribution, the reference registry, on a loopback port that the system chooses.
//
// It takes distribution's own configuration, listens by itself so that the port can be told, and leaves when
// its owner does.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	_ "github.com/distribution/distribution/v3/registry/auth/htpasswd"
	_ "github.com/distribution/distribution/v3/registry/auth/token"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"golang.org/x/crypto/bcrypt"
)

// lifelineVariable, when set, says that standard input is a pipe whose other end the owner holds.
const lifelineVariable = "DEVCLUSTER_LIFELINE"

type options struct {
	config, ready, certificate, key, clients, users, htpasswd string
}

func main() {
	var given options
	flag.StringVar(&given.config, "config", "", "distribution's configuration; its address and TLS settings are not used")
	flag.StringVar(&given.ready, "ready", "", "file that gets the address once it is listened on")
	flag.StringVar(&given.certificate, "certificate", "", "serve TLS with this certificate (PEM)")
	flag.StringVar(&given.key, "key", "", "its key (PEM)")
	flag.StringVar(&given.clients, "clients", "", "ask for client certificates of this authority (PEM)")
	flag.StringVar(&given.users, "users", "", "file of user:password lines to let in by basic authentication")
	flag.StringVar(&given.htpasswd, "htpasswd", "", "file that gets their hashes, for the configuration to name")
	flag.Parse()
	if os.Getenv(lifelineVariable) != "" {
		go exitWithOwner(os.Stdin)
	}
	if err := run(given); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

// exitWithOwner ends this process as soon as the owner's end of the lifeline closes, which the kernel
// does however the owner dies.
func exitWithOwner(lifeline io.Reader) {
	_, _ = io.Copy(io.Discard, lifeline)
	os.Exit(1)
}

func run(given options) error {
	if given.users != "" {
		if err := hashPasswords(given.users, given.htpasswd); err != nil {
			return err
		}
	}
	file, err := os.Open(given.config)
	if err != nil {
		return err
	}
	config, err := configuration.Parse(file)
	if err != nil {
		return err
	}
	_ = file.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           logged(handlers.NewApp(context.Background(), config)),
		ReadHeaderTimeout: time.Minute,
	}
	if err := announce(given.ready, listener.Addr().String()); err != nil {
		return err
	}
	if given.certificate == "" {
		return server.Serve(listener)
	}
	if server.TLSConfig, err = tlsConfig(given.clients); err != nil {
		return err
	}
	return server.ServeTLS(listener, given.certificate, given.key)
}

// logged prints a line for each request before its answer begins, so that whoever has an answer finds
// the line of its request in the log.
func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writer := &logWriter{ResponseWriter: w, line: fmt.Sprintf("\"%s %s %s\"", r.Method, r.RequestURI, r.Proto)}
		next.ServeHTTP(writer, r)
		writer.log(http.StatusOK)
	})
}

type logWriter struct {
	http.ResponseWriter
	line string
}

func (w *logWriter) log(status int) {
	if w.line != "" {
		fmt.Println(w.line, status)
		w.line = ""
	}
}

func (w *logWriter) WriteHeader(status int) {
	w.log(status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *logWriter) Write(content []byte) (int, error) {
	w.log(http.StatusOK)
	return w.ResponseWriter.Write(content)
}

// Unwrap lets the standard library find what else the connection can do.
func (w *logWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// hashPasswords writes the only kind of hash that distribution reads, at the lowest cost: the passwords
// are a test's, and each request is checked against them.
func hashPasswords(users, htpasswd string) error {
	plain, err := os.ReadFile(users)
	if err != nil {
		return err
	}
	var lines strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(string(plain)), "\n") {
		user, password, _ := strings.Cut(line, ":")
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			return err
		}
		fmt.Fprintf(&lines, "%s:%s\n", user, hash)
	}
	return os.WriteFile(htpasswd, []byte(lines.String()), 0o600)
}

func tlsConfig(clients string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if clients == "" {
		return config, nil
	}
	pem, err := os.ReadFile(clients)
	if err != nil {
		return nil, err
	}
	config.ClientCAs = x509.NewCertPool()
	config.ClientAuth = tls.RequireAndVerifyClientCert
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in " + clients)
	}
	return config, nil
}

// announce gives the file its name only when it is whole: whoever waits for it may read at once.
func announce(path, address string) error {
	partial := path + ".partial"
	if err := os.WriteFile(partial, []byte(address), 0o600); err != nil {
		return err
	}
	return os.Rename(partial, path)
}
