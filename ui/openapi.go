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

// unknownPath answers what no other handler does: 405 when the path takes another method, 404 else.
func unknownPath(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
			other := r.Clone(r.Context())
			other.Method = method
			if _, pattern := mux.Handler(other); strings.HasPrefix(pattern, method+" ") {
				allowed = append(allowed, method)
			}
		}
		if allowed == nil {
			writeProblem(w, newProblem(http.StatusNotFound, "no_such_path",
				fmt.Sprintf("there is no %s; /api/v1/openapi.yaml lists what there is", r.URL.Path)))
			return
		}
		writeMethods(w, r, allowed...)
	}
}

// writeMethods answers 405 with what a path takes.
func writeMethods(w http.ResponseWriter, r *http.Request, allowed ...string) {
	list := strings.Join(allowed, ", ")
	w.Header().Set("Allow", list)
	writeProblem(w, newProblem(http.StatusMethodNotAllowed, "method_not_allowed", fmt.Sprintf("%s takes %s, not %s", r.URL.Path, list, r.Method)))
}
