// Package blueprint_test holds the Make.com blueprints of artifacts/make against Make's published rules, against the
// payload that we send and against our contract, and walks the playbook once through.
//
// It is not Make: no blueprint has been imported here. What Make does with a module is taken from its documentation and
// from its own collection of blueprints (integromat/make-blueprints).
package blueprint_test
