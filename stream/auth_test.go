package stream

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"

	"signalbox/itsm"
)

// authority issues certificates for 127.0.0.1.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key = a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	})
	return a
}

func (a *authority) sign(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) issue(name string) tls.Certificate {
	a.t.Helper()
	cert, key := a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
}

// write puts a PEM block into a file.
func write(t *testing.T, kind string, der []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func password(t *testing.T, secret string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestSecured: with the right certificate and login everything works, with a wrong one nothing does, and the error
// says what was wrong.
func TestSecured(t *testing.T) {
	ca := newAuthority(t)
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	client := ca.issue("client")
	key, err := x509.MarshalPKCS8PrivateKey(client.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	server := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ca.issue("broker")}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	ours := TLSConfig{
		Enabled: true, CAFile: write(t, "CERTIFICATE", ca.cert.Raw),
		CertFile: write(t, "CERTIFICATE", client.Certificate[0]), KeyFile: write(t, "PRIVATE KEY", key),
	}
	stranger := ours
	stranger.CAFile = write(t, "CERTIFICATE", newAuthority(t).cert.Raw)
	for name, c := range map[string]struct {
		broker []kfake.Opt
		config func(*Config)
		fault  string
	}{
		"TLS with certificates": {[]kfake.Opt{kfake.TLS(server)}, func(c *Config) { c.TLS = ours }, ""},
		"a broker of strangers": {[]kfake.Opt{kfake.TLS(server)}, func(c *Config) { c.TLS = stranger }, "certificate signed by unknown authority"},
		"PLAIN": {[]kfake.Opt{kfake.EnableSASL(), kfake.Superuser("PLAIN", "sb", "secret")}, func(c *Config) {
			c.SASL = SASLConfig{Mechanism: "PLAIN", Username: "sb", PasswordFile: password(t, "secret")}
		}, ""},
		"SCRAM-SHA-256": {[]kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "sb", "secret")}, func(c *Config) {
			c.SASL = SASLConfig{Mechanism: "SCRAM-SHA-256", Username: "sb", PasswordFile: password(t, "secret")}
		}, ""},
		"SCRAM-SHA-512 over TLS": {[]kfake.Opt{kfake.TLS(server), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "sb", "secret")}, func(c *Config) {
			c.TLS, c.SASL = ours, SASLConfig{Mechanism: "SCRAM-SHA-512", Username: "sb", PasswordFile: password(t, "secret")}
		}, ""},
		"a wrong password": {[]kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "sb", "secret")}, func(c *Config) {
			c.SASL = SASLConfig{Mechanism: "SCRAM-SHA-256", Username: "sb", PasswordFile: password(t, "guess")}
		}, "as sb"},
		"gzip":   {nil, func(c *Config) { c.Compression = "gzip" }, ""},
		"snappy": {nil, func(c *Config) { c.Compression = "snappy" }, ""},
		"lz4":    {nil, func(c *Config) { c.Compression = "lz4" }, ""},
		"zstd":   {nil, func(c *Config) { c.Compression = "zstd" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cluster, err := kfake.NewCluster(append(c.broker, kfake.NumBrokers(1))...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(cluster.Close)
			cfg := DefaultConfig()
			cfg.Brokers, cfg.ProduceTimeout = cluster.ListenAddrs(), time.Second
			c.config(&cfg)
			err = roundTrip(t, cfg)
			if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
				t.Errorf("got %v, want %q", err, c.fault)
			}
		})
	}
}

// roundTrip writes through the door and reads it back, on every connection that a Stream makes.
func roundTrip(t *testing.T, cfg Config) error {
	t.Helper()
	s, err := Open(t.Context(), Options{Config: cfg, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	shard := s.Shard(0)
	if _, err := shard.Recover(t.Context(), func(itsm.Entity) error { return nil }); err != nil {
		return err
	}
	change := itsm.Change{ID: "deploy-77", Kind: "deploy", Title: strings.Repeat("long enough to be compressed ", 100)}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Door().Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	if err := s.Door().Append(ctx, itsm.Input{Changes: []itsm.Change{change}}); err != nil {
		return err
	}
	if err := shard.Write(ctx, []itsm.Update{{Incident: &itsm.Incident{ID: "inc", Title: change.Title}}}); err != nil {
		return err
	}
	for {
		records, err := shard.Read(t.Context(), time.Second)
		if err != nil {
			return err
		}
		for _, r := range records {
			if len(r.Input.Changes) == 1 && r.Input.Changes[0].Title == change.Title {
				return nil
			}
		}
	}
}
