package brief_test

import (
	"testing"

	brieftemplates "github.com/retentionops/retentionops/brief_templates"
	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

// BenchmarkLoad is what a function pays once, before its first answer.
func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := brief.Load(brieftemplates.FS); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompose goes over the queue once a tier.
func BenchmarkCompose(b *testing.B) {
	in := brief.Fixtures()[0].Input
	b.ReportMetric(float64(len(in.Assessment.Rows)), "rows")
	for b.Loop() {
		brief.Compose(in)
	}
}

func BenchmarkRender(b *testing.B) {
	templates, err := brief.Load(brieftemplates.FS)
	if err != nil {
		b.Fatal(err)
	}
	data := brief.Compose(brief.Fixtures()[0].Input)
	for _, format := range functions.Formats {
		b.Run(string(format), func(b *testing.B) {
			for b.Loop() {
				if _, err := templates.Render(format, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
