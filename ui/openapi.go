package ui

import (
	_ "embed"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

//go:embed openapi.yaml
var openAPI []byte

func handleOpenAPI(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/yaml")
	h.Set("Content-Length", strconv.Itoa(len(openAPI)))
	h.Set("Cache-Control", "no-cache")
	_, _ = w.Write(openAPI) // the client is gone when this fails
}

// unknownPath answers every path of the API that nobody else does: 405 when another method would
// do, 404 else.
func unknownPath(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
			other := r.Clone(r.Context())
			other.Method = method
			if _, pattern := mux.Handler(other); pattern != "/api/" && strings.HasPrefix(pattern, method+" /api/") {
				allowed = append(allowed, method)
			}
		}
		if allowed == nil {
			writeProblem(w, newProblem(http.StatusNotFound, "no_such_path",
				fmt.Sprintf("there is no %s; /api/v1/openapi.yaml lists what there is", r.URL.Path)))
			return
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		writeProblem(w, newProblem(http.StatusMethodNotAllowed, "method_not_allowed",
			fmt.Sprintf("%s takes %s, not %s", r.URL.Path, strings.Join(allowed, ", "), r.Method)))
	}
}
