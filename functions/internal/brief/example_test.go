package brief_test

import (
	"fmt"
	"strings"

	brieftemplates "github.com/retentionops/retentionops/brief_templates"
	"github.com/retentionops/retentionops/functions"
	"github.com/retentionops/retentionops/functions/internal/brief"
)

func Example() {
	templates, err := brief.Load(brieftemplates.FS)
	if err != nil {
		fmt.Println(err)
		return
	}
	data := brief.Compose(brief.Fixtures()[0].Input) // a WARNING day
	out, err := templates.Render(functions.FormatSlack, data)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(out.Subject)
	headline, rest, _ := strings.Cut(out.Text, "\n\n")
	first, _, _ := strings.Cut(rest, "\n")
	fmt.Println(headline == "*"+out.Subject+"*")
	fmt.Println(first)
	// Output:
	// Retention WARNING 2026-01-12: AT_RISK +17.76%, 588 customers to act on
	// true
	// :warning: *Action needed.* AT_RISK share is 17.8% above its baseline: WARNING from 15%.
}
