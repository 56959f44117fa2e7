# A greedy completion by FFI::Platypus: perl complete.pl MODEL PROMPT TOKENS
use strict;
use warnings;
use FFI::Platypus 2.00;
use FFI::Platypus::Buffer qw(grow scalar_to_pointer set_used_length);

# Made by `make abi` from include/mixtral.abi.json.
use constant { TOKENIZE_BOS => 1, DETOKENIZE_CONTINUE => 2 };

# Structs as templates of pack: struct_size, what is used here, and x for other bytes.
use constant SAMPLER_OPTIONS => 'L x4 f x76';

# The result and the parameters of each function. Handles are numbers of 64 bits, not
# pointers that anything may follow.
my %functions = (
    status_name        => [qw(string sint32)],
    last_error         => [qw(string)],
    load               => [qw(sint32 uint64* string opaque)],
    model_stop_tokens  => [qw(sint32 size_t* sint32[] size_t uint64)],
    session_create     => [qw(sint32 uint64* uint64 opaque)],
    sampler_create     => [qw(sint32 uint64* opaque)],
    detokenizer_create => [qw(sint32 uint64* uint64 uint32)],
    tokenize           => [qw(sint32 size_t* sint32[] size_t uint64 string size_t uint32)],
    detokenizer_next   => [qw(sint32 size_t* opaque size_t uint64 sint32[] size_t)],
    step               => [qw(sint32 uint64 sint32[] size_t)],
    sample             => [qw(sint32 sint32* uint64 uint64)],
    free               => [qw(sint32 uint64)],
);
# End of what `make abi` made.

my $ffi = FFI::Platypus->new(api => 2, lib => 'libmixtral.so.1');

# Functions that return a status die with the library's sentence instead.
for my $name (keys %functions) {
    my ($returns, @types) = $functions{$name}->@*;
    if ($returns eq 'string') {
        $ffi->attach("mixtral_$name" => \@types => $returns);
        next;
    }
    $ffi->attach("mixtral_$name" => \@types => $returns => sub {
        my ($function, @arguments) = @_;
        my $status = $function->(@arguments);
        die mixtral_status_name($status) . ': ' . mixtral_last_error() . "\n" if $status;
    });
}

# A struct's bytes: struct_size, then the fields of its template.
sub sized {
    my ($template, @fields) = @_;
    return pack $template, length(pack $template, 0, @fields), @fields;
}

my @objects;

sub create {
    my ($function, @arguments) = @_;
    my $handle = 0;
    $function->(\$handle, @arguments);
    push @objects, $handle;
    return $handle;
}

sub complete {
    my ($path, $prompt, $limit) = @_;
    my $model = create(\&mixtral_load, $path, undef);

    my $greedy = sized(SAMPLER_OPTIONS, 0);    # temperature 0: always the likeliest token
    my $session     = create(\&mixtral_session_create, $model, undef);
    my $sampler     = create(\&mixtral_sampler_create, scalar_to_pointer $greedy);
    my $detokenizer = create(\&mixtral_detokenizer_create, $model, DETOKENIZE_CONTINUE);

    my ($count, @ends) = (0, (0) x 64);    # more ends than models have; else the call says so
    mixtral_model_stop_tokens(\$count, \@ends, scalar @ends, $model);
    my %is_end = map { $_ => 1 } @ends[0 .. $count - 1];

    # A token is at least a byte; a few more for what belongs before and after a text.
    my @tokens = (0) x (length($prompt) + 8);
    mixtral_tokenize(\$count, \@tokens, scalar @tokens, $model, $prompt, length $prompt,
        TOKENIZE_BOS);
    mixtral_step($session, \@tokens, $count);

    my ($token, $size) = (0, 0);
    grow my $piece, 1024;
    my $write = sub {
        my ($fed) = @_;
        mixtral_detokenizer_next(\$size, scalar_to_pointer $piece, 1024, $detokenizer, [$token],
            $fed);
        set_used_length $piece, $size;
        print $piece;
    };
    for (1 .. $limit) {
        mixtral_sample(\$token, $session, $sampler);
        last if $is_end{$token};
        $write->(1);
        mixtral_step($session, [$token], 1);
    }
    $write->(0);    # ends the text: what was held back of a character
}

die "usage: perl complete.pl MODEL PROMPT TOKENS\n" unless @ARGV == 3;
$| = 1;
my $done    = eval { complete(@ARGV); 1 };
my $message = $@;
mixtral_free($_) for reverse @objects;
$done or print STDERR $message;
exit !$done;
