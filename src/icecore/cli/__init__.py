"""The command line, one small file a command: read the options, call one public verb, show what came."""
