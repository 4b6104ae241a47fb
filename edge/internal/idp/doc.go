// Package idp is the embedded OpenID provider.
package idp
