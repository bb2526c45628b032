// Package file keeps a store in a directory of the local disk.
//
//	lock         locked by the one process that has the store open; holds its pid
//	blobs/       one file for each key, named like it, with a "~" at the end
//	temp/        values being written; what a killed process left goes at Open
//	damaged/     blobs that were set aside, with the time in their names
//
// The "~", which no key can contain, lets the keys "a" and "a/b" both exist.
// Nothing else in the directory is touched.
//
// A value is written to temp/, synced, renamed over the blob, and the blob's
// folder is synced. So a file under blobs/ is whole at every instant, and a
// Put that returned nil is on the disk, as far as the disk tells the truth.
//
// Directories have mode 0700 and files 0600. Symbolic links below the
// directory are not followed; the directory itself may be reached by one, as
// systemd's DynamicUser arranges it.
package file
