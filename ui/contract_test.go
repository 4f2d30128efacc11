package ui

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/content"
	"github.com/pb33f/libopenapi-validator/errors"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// Contract holds requests and answers against the OpenAPI document. It is safe for concurrent use.
type Contract struct {
	Model    *v3.Document
	lenient  validator.Validator // for requests: a foreign format may say more than we read
	strict   validator.Validator // for answers: no field may be missing in the document
	document validator.Validator

	mu   sync.Mutex // the validators cache as they go
	used map[string]bool
}

// NewContract reads the document.
var NewContract = sync.OnceValues(func() (*Contract, error) {
	doc, err := libopenapi.NewDocument(openAPI)
	if err != nil {
		return nil, err
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		return nil, err
	}
	c := &Contract{Model: &model.Model, used: map[string]bool{}}
	lines := config.WithBodyDecoder("application/x-ndjson", content.DecoderFunc(text))
	for to, options := range map[*validator.Validator][]config.Option{
		&c.document: nil,
		&c.lenient:  {config.WithFormatAssertions(), lines},
		&c.strict: {lines, config.WithFormatAssertions(), config.WithStrictMode(), config.WithStrictIgnorePaths( // maps, whose keys are the user's
			"$.body.**.labels.*", "$.body.**.annotations.*", "$.body[*].**.labels.*", "$.body[*].**.annotations.*",
			"$.body[*].labels.*", "$.body[*].annotations.*", "$.body.**.attributes.*", "$.body.attributes.*",
			"$.body.**.identifiers[*].*", "$.body.identifiers[*].*", "$.body.**.data.**", "$.body.bindings[*].match.*", "$.body.buckets[*].counts.*",
		)},
	} {
		var errs []error
		if *to, errs = validator.NewValidator(doc, options...); errs != nil {
			return nil, fmt.Errorf("%v", errs)
		}
	}
	return c, nil
})

// text takes a body of lines as the string that the document says it is.
func text(in *content.DecodeInput) (any, error) {
	b, err := io.ReadAll(in.Body)
	return string(b), err
}

// Valid tells what the document breaks of OpenAPI 3.1 itself.
func (c *Contract) Valid() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return broken(c.document.ValidateDocument())
}

// Operations lists the operations by their ids.
func (c *Contract) Operations() map[string]string {
	out := map[string]string{}
	for path, item := range c.Model.Paths.PathItems.FromOldest() {
		for method, op := range item.GetOperations().FromOldest() {
			out[op.OperationId] = strings.ToUpper(method) + " " + path
		}
	}
	return out
}

// Unused lists the operations that nothing was checked against.
func (c *Contract) Unused() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for id := range c.Operations() {
		if !c.used[id] {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// Exchange is a request with its answer.
type Exchange struct {
	Method, URI, Body string
	Header            http.Header // of the request
	Status            int
	Got               http.Header // of the answer
	Answer            []byte
}

// Check tells what an exchange breaks of the document. What the handlers accept, the document must
// allow; what they refuse, it may.
func (c *Contract) Check(x Exchange) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	newRequest := func() (*http.Request, error) {
		r, err := http.NewRequest(x.Method, "http://signalbox"+x.URI, strings.NewReader(x.Body))
		if err == nil {
			r.Header = x.Header.Clone()
		}
		return r, err
	}
	r, err := newRequest()
	if err != nil {
		return err
	}
	op := c.operation(x.Method, r.URL.EscapedPath())
	if op == "" && x.Status >= http.StatusBadRequest {
		return nil // the document does not have it either
	}
	// Without its engine history can only say how to get it.
	c.used[op] = c.used[op] || x.Status < http.StatusBadRequest || x.Status == http.StatusNotImplemented || c.onlyRefuses(op)
	got := &http.Response{StatusCode: x.Status, Header: x.Got, Body: io.NopCloser(bytes.NewReader(x.Answer))}
	if err := broken(c.strict.ValidateHttpResponse(r, got)); err != nil {
		return fmt.Errorf("answer %d: %w\n%.1000s", x.Status, err, x.Answer)
	}
	if x.Status >= http.StatusMultipleChoices {
		return nil
	}
	if r, err = newRequest(); err != nil {
		return err
	}
	if err := broken(c.lenient.ValidateHttpRequest(r)); err != nil {
		return fmt.Errorf("request that was accepted: %w", err)
	}
	return nil
}

// onlyRefuses tells whether the document lists no answer of an operation but errors.
func (c *Contract) onlyRefuses(id string) bool {
	for _, item := range c.Model.Paths.PathItems.FromOldest() {
		for _, op := range item.GetOperations().FromOldest() {
			if op.OperationId != id {
				continue
			}
			for status := range op.Responses.Codes.FromOldest() {
				if status < "4" {
					return false
				}
			}
			return true
		}
	}
	return false
}

// operation returns the id of the operation of a request.
func (c *Contract) operation(method, path string) string {
	best, id := -1, ""
	for op, route := range c.Operations() {
		m, pattern, _ := strings.Cut(route, " ")
		if literal, ok := matches(pattern, path); ok && m == method && literal > best {
			best, id = literal, op
		}
	}
	return id
}

// matches tells whether a path is of a pattern, and how many of its parts are literally so.
func matches(pattern, path string) (literal int, ok bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return 0, false
	}
	for i, part := range want {
		switch {
		case part == have[i]:
			literal++
		case !strings.HasPrefix(part, "{"):
			return 0, false
		}
	}
	return literal, true
}

func broken(ok bool, errs []*errors.ValidationError) error {
	if ok {
		return nil
	}
	var b strings.Builder
	for _, e := range errs {
		fmt.Fprintf(&b, "\n%s: %s", e.Message, e.Reason)
		for _, s := range e.SchemaValidationErrors {
			fmt.Fprintf(&b, "\n  %s at %s", s.Reason, s.FieldPath)
		}
	}
	return fmt.Errorf("%s", b.String())
}
