// Package localca is the certification authority of a gateway that asks
// nobody else: a root that clients are told to trust, an intermediate that
// signs, and leaves that live for a week and renew themselves.
//
//	root          10 years  signs the intermediate only
//	intermediate  1 year    replaced at two thirds of its life, cannot sign a CA
//	leaf          7 days    one for each host, replaced at two thirds
//
// All keys are ECDSA P-256. They rest in a store, which the caller has sealed:
//
//	ca/root, ca/intermediate    certificate and key, PEM
//	ca/leaves/00 ... ff         leaves and keys of the names that hash to it
//
// The store is needed to start, not to serve: where writing fails, leaves are
// issued and renewed all the same, and only a restart has to issue them again.
//
// CA issues; Keeper holds one leaf for each name of a changing set, renews
// them and hands the whole set to whoever presents them in handshakes.
package localca
