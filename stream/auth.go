package stream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// TLSConfig is the section `kafka.tls`.
type TLSConfig struct {
	// Enabled connects with TLS. Default false.
	Enabled bool `yaml:"enabled"`
	// CAFile holds the certificates that sign the brokers' (PEM). Default: the system's.
	CAFile string `yaml:"ca_file"`
	// CertFile holds our own certificate (PEM), where brokers ask for one.
	CertFile string `yaml:"cert_file"`
	// KeyFile holds the key of our own certificate (PEM).
	KeyFile string `yaml:"key_file"`
	// ServerName is what the brokers' certificates must name. Default: the host we connect to.
	ServerName string `yaml:"server_name"`
}

// SASLConfig is the section `kafka.sasl`.
type SASLConfig struct {
	// Mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. Default "": no login.
	Mechanism string `yaml:"mechanism"`
	// Username is the login.
	Username string `yaml:"username"`
	// PasswordFile holds the password alone.
	PasswordFile string `yaml:"password_file"`
}

func (c *Config) authFaults(fault func(bad bool, path, format string, args ...any)) {
	fault(!c.TLS.Enabled && (c.TLS.CAFile != "" || c.TLS.CertFile != "" || c.TLS.ServerName != ""), "tls.enabled", "must be true for the other keys of kafka.tls to hold")
	fault((c.TLS.CertFile == "") != (c.TLS.KeyFile == ""), "tls.cert_file", "goes with kafka.tls.key_file")
	fault((c.TLS.Enabled || c.SASL.Mechanism != "") && len(c.Brokers) == 0, "brokers", "are needed for kafka.tls and kafka.sasl; the embedded broker is reached from this process only")
	switch c.SASL.Mechanism {
	case "":
		fault(c.SASL.Username != "" || c.SASL.PasswordFile != "", "sasl.mechanism", "is missing: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
		fault(c.SASL.Username == "", "sasl.username", "is missing")
		fault(c.SASL.PasswordFile == "", "sasl.password_file", "is missing")
	default:
		fault(true, "sasl.mechanism", "must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, got %q", c.SASL.Mechanism)
	}
}

// dialFunc connects to an address.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// secured returns a dialFunc whose connections are encrypted and logged in as configured. Client library and fetcher
// share it, so there is one way to a broker.
func (c *Config) secured(dial dialFunc) (dialFunc, error) {
	var encrypt *tls.Config
	if c.TLS.Enabled {
		var err error
		if encrypt, err = c.TLS.load(); err != nil {
			return nil, err
		}
	}
	login, err := c.SASL.mechanism()
	if err != nil || encrypt == nil && login == nil {
		return dial, err
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if encrypt != nil {
			if conn, err = handshake(ctx, conn, encrypt, address); err != nil {
				return nil, err
			}
		}
		if login != nil {
			if err := logIn(ctx, conn, login); err != nil {
				return nil, errors.Join(fmt.Errorf("log in to %s as %s: %w", address, c.SASL.Username, err), conn.Close())
			}
		}
		return conn, nil
	}, nil
}

func (t *TLSConfig) load() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.ca_file: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafka.tls.ca_file: %s holds no certificate in PEM", t.CAFile)
		}
	}
	if t.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.cert_file: %w", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

func handshake(ctx context.Context, conn net.Conn, cfg *tls.Config, address string) (net.Conn, error) {
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		cfg = cfg.Clone()
		cfg.ServerName = host
	}
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("TLS with %s: %w", address, err), conn.Close())
	}
	return secure, nil
}

func (s *SASLConfig) mechanism() (sasl.Mechanism, error) {
	if s.Mechanism == "" {
		return nil, nil //nolint:nilnil // there is no login, and that is no error
	}
	password, err := os.ReadFile(s.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl.password_file: %w", err)
	}
	secret := strings.TrimRight(string(password), "\r\n")
	switch s.Mechanism {
	case "PLAIN":
		return plain.Mechanism{Username: s.Username, Password: secret}, nil
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, s.Username, secret)
	}
	return scram.Mechanism(scram.SHA512, s.Username, secret)
}

// logIn speaks SASL on a fresh connection (KIP-43, KIP-152).
func logIn(ctx context.Context, conn net.Conn, m sasl.Mechanism) error {
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	} else if err := conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return err
	}
	answer, err := protocol.RoundTrip(conn, 1, 1, clientID, &saslhandshake.Request{Mechanism: m.Name()})
	if err != nil {
		return err
	}
	if res, ok := answer.(*saslhandshake.Response); ok && res.ErrorCode != 0 {
		return fmt.Errorf("%w; the broker knows %s", kafka.Error(res.ErrorCode), strings.Join(res.Mechanisms, ", "))
	}
	state, data, err := m.Start(ctx)
	if err != nil {
		return err
	}
	for done, id := false, int32(2); !done; id++ {
		answer, err := protocol.RoundTrip(conn, 0, id, clientID, &saslauthenticate.Request{AuthBytes: data})
		if err != nil {
			return err
		}
		res, ok := answer.(*saslauthenticate.Response)
		if !ok {
			return fmt.Errorf("an answer of kind %T", answer)
		}
		if res.ErrorCode != 0 {
			return fmt.Errorf("%w: %s", kafka.Error(res.ErrorCode), res.ErrorMessage)
		}
		if done, data, err = state.Next(ctx, res.AuthBytes); err != nil {
			return err
		}
	}
	return conn.SetDeadline(time.Time{})
}
