// Package compress codes the bodies of answers on their way to clients (RFC 9110
// section 8.4): which answers, in which coding, and the encoders that do it. It
// knows fields and bytes, no tenant, no request and no transport.
//
// An answer is asked in this order:
//
//   - [Rules.Fits]: may it be coded, whoever asks? Then it says Vary, by [Vary].
//   - [Rules.Choose]: in which coding does this client get it? None where a page
//     of another site has caused the request, see [Probes].
//   - [Coding.Rewrite]: what its head says once it is coded.
//   - [Encoders]: its body.
package compress
