package app

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestSameOrigin(t *testing.T) {
	tests := []struct {
		name, host, origin string
		want               int
	}{
		{"programs send none", "127.0.0.1:7420", "", 200},
		{"own page", "127.0.0.1:7420", "http://127.0.0.1:7420", 200},
		{"own page behind TLS", "board.example", "https://board.example", 200},
		{"case of the host does not matter", "Board.example", "https://board.EXAMPLE", 200},
		{"default port written out", "board.example:443", "https://board.example", 200},
		{"another host", "127.0.0.1:7420", "http://evil.example", 403},
		{"another port", "127.0.0.1:7420", "http://127.0.0.1:8080", 403},
		{"sandboxed page", "127.0.0.1:7420", "null", 403},
		{"not a URL", "127.0.0.1:7420", "::", 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A path that does not exist shows that the origin is judged before anything else.
			handler := sameOrigin(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/nowhere", nil)
			req.Host = tt.host
			if tt.origin != "" {
				req.Header.Set("Origin", tt.origin)
			}
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, req)
			if rec.Code != tt.want {
				t.Fatalf("status %d, want %d", rec.Code, tt.want)
			}
			if tt.want == 403 {
				var p problem
				if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || p.Code != "foreign_origin" || p.Status != 403 {
					t.Errorf("problem %+v, %v", p, err)
				}
			}
		})
	}
}
