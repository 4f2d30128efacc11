package app

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "rewrite files that are generated from the code")

// TestConfigurationPage generates docs/configuration.md from the Config types: every key, its
// default and the comment on its field. A key without a comment is a fault.
func TestConfigurationPage(t *testing.T) {
	const page = "../docs/configuration.md"
	got := configurationPage(t)
	if *update {
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/configuration.md differs from the code (go test ./app -run ConfigurationPage -update rewrites it):\n%s", diff)
	}
}

func configurationPage(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`# Configuration

` + "`signalbox serve --config signalbox.yml`" + ` reads one YAML file; every key has a default, so no file is needed. An unknown key is an
error. ` + "`signalbox check --config signalbox.yml`" + ` prints every fault with its path and exits 1 if there is any.

Each key can be set by an environment variable: ` + "`SIGNALBOX_`" + ` and the path in capitals, dots as underscores
(` + "`SIGNALBOX_SERVER_LISTEN=127.0.0.1:8000`" + `); its value is read as YAML. Flags win over the environment, the environment over the file.

` + "`POST /-/reload`" + `, or SIGHUP, reads the file and the estate files again: ` + "`severity`, `incident`, `correlate`, `sla` and `problem`" + ` come into force at once, as a record of the
log; the other sections need a restart.

This page is generated from the code.
`)
	writeSections(t, &b, reflect.ValueOf(DefaultConfig()))
	return b.String()
}

func writeSections(t *testing.T, b *strings.Builder, cfg reflect.Value) {
	t.Helper()
	comments := map[string]map[string]string{}
	for i := range cfg.NumField() {
		section, v := cfg.Type().Field(i).Tag.Get("yaml"), cfg.Field(i)
		fmt.Fprintf(b, "\n## %s\n\n", section)
		path := section
		if listsSections(v.Type()) {
			fmt.Fprintf(b, "A list; each element has these keys.\n\n")
			path, v = section+"[]", newSection(v.Type())
		}
		fmt.Fprintf(b, "| key | default | meaning |\n|---|---|---|\n")
		writeKeys(t, b, comments, path, v)
	}
}

func writeKeys(t *testing.T, b *strings.Builder, comments map[string]map[string]string, path string, v reflect.Value) {
	t.Helper()
	typ := v.Type()
	dir := filepath.Join("..", strings.TrimPrefix(typ.PkgPath(), "signalbox/"))
	if comments[dir] == nil {
		comments[dir] = fieldComments(t, dir)
	}
	for i := range v.NumField() {
		key, _, _ := strings.Cut(typ.Field(i).Tag.Get("yaml"), ",")
		if key == "" || key == "-" {
			continue
		}
		comment := comments[dir][typ.Name()+"."+typ.Field(i).Name]
		if comment == "" {
			t.Errorf("%s.%s: the field %s.%s has no comment", path, key, typ.Name(), typ.Field(i).Name)
		}
		if v.Field(i).Kind() == reflect.Struct {
			writeKeys(t, b, comments, path+"."+key, v.Field(i))
			continue
		}
		fmt.Fprintf(b, "| `%s.%s` | %s | %s |\n", path, key, defaultText(t, v.Field(i), strings.HasSuffix(path, "[]")), strings.ReplaceAll(comment, "|", "\\|"))
		if elem := v.Field(i).Type(); elem.Kind() == reflect.Slice && elem.Elem().Kind() == reflect.Struct {
			writeKeys(t, b, comments, path+"."+key+"[]", reflect.Zero(elem.Elem()))
		}
	}
}

// defaultText is the default as one line of YAML; absent tells a list that is not there from an empty one.
func defaultText(t *testing.T, v reflect.Value, absent bool) string {
	t.Helper()
	if v.Kind() == reflect.Slice && v.IsNil() && absent {
		return "–"
	}
	var node yaml.Node
	if err := node.Encode(v.Interface()); err != nil {
		t.Fatal(err)
	}
	node.Style = yaml.FlowStyle
	out, err := yaml.Marshal(&node)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(out)), " ")
	if text == `""` || text == "" {
		return "–"
	}
	return "`" + text + "`"
}

// fieldComments returns the comments on struct fields of a package, by "Type.Field".
func fieldComments(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if st, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range st.Fields.List {
					text := field.Doc.Text()
					if text == "" {
						text = field.Comment.Text()
					}
					for _, name := range field.Names {
						out[spec.Name.Name+"."+name.Name] = strings.Join(strings.Fields(text), " ")
					}
				}
			}
			return true
		})
	}
	return out
}
