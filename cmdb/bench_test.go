package cmdb

import (
	"bytes"
	"fmt"
	"testing"
)

// BenchmarkLoad is what it takes to bring an estate of 100,000 items and 300,000 relations into
// force: read the file, merge the parts, build the graph.
func BenchmarkLoad(b *testing.B) {
	estate := large(100_000, 300_000)
	asJSON, err := estate.MarshalJSON()
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		data []byte
	}{{"estate.json", asJSON}, {"estate.yaml", blockYAML(estate)}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.data)))
			b.ReportAllocs()
			for b.Loop() {
				part, err := Parse(c.name, c.data)
				if err != nil {
					b.Fatal(err)
				}
				merged, err := Parts{"file:" + c.name: part}.Merge()
				if err != nil {
					b.Fatal(err)
				}
				if _, err := NewGraph(merged); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// blockYAML writes an estate as people do.
func blockYAML(e *Estate) []byte {
	var b bytes.Buffer
	b.WriteString("items:\n")
	for i := range e.Items {
		it := &e.Items[i]
		fmt.Fprintf(&b, "  - id: %s\n    class: %s\n    name: %s\n    criticality: %d\n    attributes: {site: %s, rack: \"%s\"}\n    identifiers:\n",
			it.ID, it.Class, it.Name, it.Criticality, it.Attributes["site"], it.Attributes["rack"])
		for _, set := range it.Identifiers {
			b.WriteString("      - {")
			sep := ""
			for k, v := range set {
				fmt.Fprintf(&b, "%s%s: %q", sep, k, v)
				sep = ", "
			}
			b.WriteString("}\n")
		}
	}
	b.WriteString("relations:\n")
	for _, r := range e.Relations {
		fmt.Fprintf(&b, "  - {from: %s, type: %s, to: %s}\n", r.From, r.Type, r.To)
	}
	return b.Bytes()
}
