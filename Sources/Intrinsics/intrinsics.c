// A target needs a source; all of it is in include/.
