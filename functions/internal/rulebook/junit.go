package rulebook

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The elements of JUnit XML as CI systems read it. There is no one standard; these are what all of them know.
type (
	junitSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		junitCounts
		Suites []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		junitCounts
		Properties []junitProperty `xml:"properties>property,omitempty"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitCounts struct {
		Name     string `xml:"name,attr"`
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
		Errors   int    `xml:"errors,attr"`
		Skipped  int    `xml:"skipped,attr"`
		Time     string `xml:"time,attr"`
	}
	junitCase struct {
		Name       string          `xml:"name,attr"`
		Class      string          `xml:"classname,attr"`
		File       string          `xml:"file,attr"`
		Line       int             `xml:"line,attr"`
		Time       string          `xml:"time,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Failure    *junitFault     `xml:"failure"`
		Error      *junitFault     `xml:"error"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitFault struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the report for a CI system: a suite for each file, a case for each example.
func (r Report) WriteJUnit(w io.Writer) error {
	all := junitSuites{junitCounts: junitCounts{Name: "rules", Time: seconds(r.Milliseconds)}}
	for _, result := range r.Results {
		one := junitCaseAt(result.File, result.Line, result.Name)
		one.Time = seconds(result.Milliseconds)
		if !result.Passed() {
			var lines []string
			for _, d := range result.Differences {
				lines = append(lines, fmt.Sprintf("%s:%d: %s: want %s, got %s", result.File, d.Line, d.What, d.Want, d.Got))
			}
			first := result.Differences[0]
			one.Failure = &junitFault{
				Message: fmt.Sprintf("%s: want %s, got %s", first.What, first.Want, first.Got), Type: "rules/example",
				Text: strings.Join(lines, "\n"),
			}
		}
		all.add(one, result.Milliseconds, r.RulesVersion)
	}
	return all.write(w)
}

// WriteJUnit writes findings for a CI system, where they are why no example could be run: an error each.
func (f Findings) WriteJUnit(w io.Writer) error {
	all := junitSuites{junitCounts: junitCounts{Name: "rules", Time: seconds(0)}}
	for _, finding := range f {
		one := junitCaseAt(finding.File, finding.Line, cmp.Or(finding.ID, "rules")+": "+finding.Message)
		one.Time = seconds(0)
		one.Error = &junitFault{Message: finding.Message, Type: finding.ID, Text: finding.String()}
		all.add(one, 0, "")
	}
	return all.write(w)
}

func junitCaseAt(file string, line int, name string) junitCase {
	return junitCase{
		Name: name, Class: file, File: file, Line: line,
		Properties: []junitProperty{{"file", file}, {"line", strconv.Itoa(line)}},
	}
}

// add puts a case into the suite of its file.
func (s *junitSuites) add(one junitCase, milliseconds float64, version string) {
	if n := len(s.Suites); n == 0 || s.Suites[n-1].Name != one.File {
		suite := junitSuite{junitCounts: junitCounts{Name: one.File}}
		if version != "" {
			suite.Properties = []junitProperty{{"rules_version", version}}
		}
		s.Suites = append(s.Suites, suite)
	}
	suite := &s.Suites[len(s.Suites)-1]
	suite.Cases = append(suite.Cases, one)
	for _, counts := range []*junitCounts{&s.junitCounts, &suite.junitCounts} {
		counts.Tests++
		if one.Failure != nil {
			counts.Failures++
		}
		if one.Error != nil {
			counts.Errors++
		}
	}
	spent, _ := strconv.ParseFloat(cmp.Or(suite.Time, "0"), 64) // it was written here
	suite.Time = seconds(spent*1000 + milliseconds)
}

func (s *junitSuites) write(w io.Writer) error {
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(s); err != nil {
		return fmt.Errorf("write JUnit XML: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(milliseconds float64) string { return strconv.FormatFloat(milliseconds/1000, 'f', 6, 64) }
