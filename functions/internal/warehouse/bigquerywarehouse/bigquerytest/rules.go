package bigquerytest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What BigQuery documents of DDL and the engine lets through.
const maxClustering = 4

// clusterTypes are the types that a table can be clustered by, of those that the fake knows: FLOAT64 is none.
var clusterTypes = []string{"BOOL", "DATE", "INT64", "NUMERIC", "STRING", "TIMESTAMP"}

// optionTypes are the options of a table that the driver may set, with the field of a literal of their type.
var optionTypes = map[string][]string{
	"partition_expiration_days": {"int64Value", "doubleValue"}, "description": {"stringValue"},
	"require_partition_filter": {"boolValue"}, "friendly_name": {"stringValue"},
}

// defaults are the calls that a column's default may be; a literal is the other way.
var defaults = []string{"CURRENT_DATE()", "CURRENT_DATETIME()", "CURRENT_TIME()", "CURRENT_TIMESTAMP()", "GENERATE_UUID()", "RAND()", "SESSION_USER()"}

// CheckRules reports what BigQuery would refuse of a statement that the engine has resolved.
func (r *Resolved) CheckRules() error {
	switch r.Kind {
	case "resolvedCreateTableStmtNode":
		d, err := r.Definition()
		if err != nil {
			return err
		}
		return errors.Join(d.checkPartition(), d.checkClustering(), checkOptions(d.Options), d.checkDefaults(), d.checkKey())
	case "resolvedAlterTableStmtNode":
		return checkOptions(r.altered())
	case "resolvedInsertStmtNode":
		if mode := word(r.node, "insertMode"); mode != "" && mode != "OR_ERROR" {
			return fmt.Errorf("BigQuery knows no INSERT %s", mode)
		}
	}
	return nil
}

func (d *Definition) typeOf(column string) string {
	i := slices.IndexFunc(d.Columns, func(c Column) bool { return c.Name == column })
	if i < 0 {
		return ""
	}
	return d.Columns[i].Type
}

func (d *Definition) checkPartition() error {
	if len(d.partitions) > 1 {
		return fmt.Errorf("PARTITION BY has %d expressions", len(d.partitions))
	}
	switch sqlType := d.typeOf(d.Partition); {
	case len(d.partitions) == 0:
		return nil
	case d.PartitionF == "" && sqlType != "DATE":
		return fmt.Errorf("PARTITION BY a bare %s", sqlType)
	case d.PartitionF != "" && !slices.Contains([]string{"date", "timestamp_trunc", "date_trunc", "datetime_trunc"}, d.PartitionF):
		return fmt.Errorf("PARTITION BY %s", d.PartitionF)
	}
	return nil
}

func (d *Definition) checkClustering() error {
	if len(d.Clustering) > maxClustering {
		return fmt.Errorf("CLUSTER BY %d columns", len(d.Clustering))
	}
	for _, column := range d.Clustering {
		if sqlType := d.typeOf(column); !slices.Contains(clusterTypes, sqlType) {
			return fmt.Errorf("CLUSTER BY %q of type %q", column, sqlType)
		}
	}
	return nil
}

func checkOptions(set map[string]map[string]any) error {
	for name, value := range set {
		fields, known := optionTypes[name]
		if !known {
			return fmt.Errorf("a table has no option %s", name)
		}
		if !slices.ContainsFunc(fields, func(field string) bool { return value[field] != nil }) {
			return fmt.Errorf("the option %s takes another type", name)
		}
	}
	return nil
}

func (d *Definition) checkDefaults() error {
	for column, text := range d.Defaults {
		literal := strings.HasPrefix(text, "'") || text == "TRUE" || text == "FALSE" || isNumber(text)
		if !literal && !slices.Contains(defaults, text) {
			return fmt.Errorf("the default of %s is %s", column, text)
		}
	}
	return nil
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

func (d *Definition) checkKey() error {
	if d.primaryKey == nil {
		return nil
	}
	if unenforced, _ := d.primaryKey["unenforced"].(bool); !unenforced {
		return errors.New("PRIMARY KEY without NOT ENFORCED")
	}
	return nil
}

// expiryOf is the value of partition_expiration_days; 0 when it is not set.
func expiryOf(set map[string]map[string]any) (int, error) {
	value := set["partition_expiration_days"]
	if value == nil {
		return 0, nil
	}
	return strconv.Atoi(fmt.Sprint(value["int64Value"]))
}
