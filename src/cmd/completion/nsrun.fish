# fish completion for nsrun: nsrun completion fish | source, or save it as ~/.config/fish/completions/nsrun.fish

# Asks nsrun itself for what can stand at the cursor: a line for each, kind, text and help with tabs between.
function __nsrun_complete
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    set -l current (commandline -ct)
    for line in ($program __complete $words $current 2>/dev/null)
        set -l fields (string split \t -- $line)
        set -l path (string sub -s (math (string length -- $fields[2]) + 1) -- $current)
        switch $fields[1]
            case word
                printf '%s\t%s\n' $fields[2] $fields[3]
            case part
                printf '%s\t%s\n' $fields[2] $fields[3]
                # fish puts a blank after a lone candidate that does not end in = or : or the like
                string match -qr '[=:]$' -- $fields[2]; or printf '%s,\t%s\n' $fields[2] $fields[3]
            case files
                __fish_complete_path $path | string replace -r '^' -- $fields[2]
            case dirs
                __fish_complete_directories $path | string replace -r '^' -- $fields[2]
            case commands
                complete -C "$path"
        end
    end
end
complete -c nsrun -f -k -a '(__nsrun_complete)'
