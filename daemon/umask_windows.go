package main

// restrictNewFiles: the access lists of directories are inherited here.
func restrictNewFiles() {}
